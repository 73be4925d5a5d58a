"""Makes Soroe's bundled model: a miniature Stable Diffusion XL with ControlNets and a CLIP, from open emoji artwork.

The steps, each a module with a command line of its own, each resumable and content with slices of a few minutes:

    python -m training.data         fetch the artwork, draw the pictures and their structure maps
    python -m training.train_vae    pictures to latents and back
    python -m training.train        UNet and both text encoders; writes the pipeline folder
    python -m training.controlnet   structure guidance by edges or silhouette
    python -m training.clip         a small CLIP that recognises objects and looks
    python -m training.sample       a sheet at fixed prompts and seeds
    python -m training.evaluate     how often the CLIP finds object and look in samples
    python -m training              all of them in order
"""
