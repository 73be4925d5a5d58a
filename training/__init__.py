"""Makes Soroe's bundled model: a miniature Stable Diffusion XL with ControlNets and a CLIP, from open emoji artwork.

Every step is a module with a command line, can be resumed, and can be run in slices of a few minutes:

    python -m training.data.pictures      fetch the artwork, draw the pictures and their structure maps
    python -m training.models.vae         train the autoencoder
    python -m training.models.unet        train the UNet and both text encoders; write the pipeline folder
    python -m training.models.controlnet  train structure guidance by edges or silhouette
    python -m training.models.clip        train a small CLIP that recognises objects and looks
    python -m training.models.sample      draw a sheet at fixed prompts and seeds
    python -m training.measures.evaluate  count how often samples match their prompts, judged by the CLIP
    python -m training.measures.card      write the same figures into docs/demo-model.md
    python -m training                    run the data and all trainings in order
    python -m training.budget             count the cost of a size, without training it

`data/` makes the training data, `models/` trains on it, `measures/` evaluates the result. See training/README.md.
"""
