"""Models: fetching them once, and finding them offline from then on."""

from tamis.models.fetch import fetch
from tamis.models.store import ModelStatus, list_models, model_hash, model_path, models_folder
from tamis.models.table import MODELS, Model

__all__ = ["MODELS", "Model", "ModelStatus", "fetch", "list_models", "model_hash", "model_path", "models_folder"]
