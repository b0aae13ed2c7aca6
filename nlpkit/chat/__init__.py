"""A conversation's life: kept, answered, rated, exported, deleted for good."""
