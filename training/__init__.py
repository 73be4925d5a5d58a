"""Makes Soroe's bundled model: a miniature Stable Diffusion XL with ControlNets and a CLIP, from open emoji artwork.

The steps, each a module with a command line of its own, each resumable and content with slices of a few minutes:

    python -m training.data         fetch the artwork, draw the pictures and their structure maps
    python -m training.train_vae    pictures to latents and back
    python -m training.train        UNet and both text encoders; writes the pipeline folder
    python -m training.controlnet   structure guidance by edges or silhouette
    python -m training.clip         a small CLIP that recognises objects and looks
    python -m training.sample       a sheet at fixed prompts and seeds
    python -m training.evaluate     what the CLIP finds in samples of what the prompts asked for
    python -m training.card         the same, written into docs/demo-model.md
    python -m training              the data and all trainings in order

And what a size costs, without training it: python -m training.budget
"""
