"""Train one adapter at several sites: each keeps its texts, and only adapters and heads pass between them."""
