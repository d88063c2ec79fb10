"""Turn a published agent into the project's format, from its joblib file or its frozen TensorFlow graph.

python scripts/import_openai.py checkpoint=coinrun.jd output=PATH
python scripts/import_openai.py checkpoint=coinrun.model.pb output=PATH
"""

from omegaconf import DictConfig

from common.command import main
from agents.checkpoint import save_agent
from agents.openai import import_agent
from common.progress import CONSOLE


def task(config: DictConfig) -> None:
    save_agent(config.output, import_agent(config.checkpoint))
    CONSOLE.print(f"{config.output}: the agent of {config.checkpoint}")


if __name__ == "__main__":
    main(task, "import_openai")
