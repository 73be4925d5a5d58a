"""Whether a strength that follows the content beats every fixed one, on the demo model.

    python -m benchmarks.adaptive.pictures FOLDER     # hours at low priority on two cores; resumes after a kill
    python -m benchmarks.adaptive.compare FOLDER      # seconds: fits on the tuning pairs, compares on the others

Stated before the first picture was made:

- 54 references, three of each of the 18 looks, and six prompts each: 324 pairs. One prompt names the object nearest to
  the reference's by the words, one the farthest, one a colour, three any object. No prompt names a look.
- References with an even number are for tuning, the others are held out: no reference is in both.
- Fixed strengths: 0.5, 1 and 1.5; 4 steps of DPM++. The controller steers to what is usual at strength 0.7.
- A picture's score is consistency + alignment - leakage, each divided by its standard deviation over the tuning pairs
  at all fixed strengths. Consistency is one minus the distance in look to the reference (`app.quality.look`, pixels).
  Alignment and leakage are the probabilities that the bundled CLIP gives the prompt's and the reference's object
  among all that the model knows.
- An adaptive strength beats the fixed ones if the 95 % bootstrap interval of the mean difference to each of them on the
  held-out pairs, resampled by reference, is above 0.
"""
