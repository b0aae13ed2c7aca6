"""Settings searched for, folds compared, and what more labels would bring: many trainings, one page."""
