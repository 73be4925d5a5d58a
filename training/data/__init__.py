"""What the bundled model learns from: artwork, looks, captions, and the pictures drawn from them."""
