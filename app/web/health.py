"""For machines: is the server up, and does it work?"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.web.deps import ResourcesDep

router = APIRouter()


@router.get("/healthz")
def health(resources: ResourcesDep) -> JSONResponse:
    """Report health. The server answers nothing before the model is loaded."""
    try:
        model = resources.engine.model
    except RuntimeError:
        return JSONResponse({"status": "loading"}, 503)
    return JSONResponse({"status": "ok", "model": model.name})
