"""For machines: is the server up, and can it work?"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.web.deps import ResourcesDep

router = APIRouter()


@router.get("/healthz")
def health(resources: ResourcesDep) -> JSONResponse:
    """Nothing is answered before the model is loaded, unless whoever runs the server waits for it elsewhere."""
    try:
        model = resources.engine.model
    except RuntimeError:
        return JSONResponse({"status": "loading"}, 503)
    return JSONResponse({"status": "ok", "model": model.name})
