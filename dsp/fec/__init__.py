"""Error correcting codes: bits or log-likelihoods in, data and error counts out."""
