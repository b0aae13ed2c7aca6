"""The methods of an analysis, in sentences that can be pasted."""

from __future__ import annotations

from nlpkit import __version__
from nlpkit.analysis.about import About
from nlpkit.analysis.changes import LEVEL
from nlpkit.analysis.study import Study
from nlpkit.trust.shares import RESAMPLES


def methods_of(study: Study) -> tuple[str, ...]:
    """Return how it was done, in sentences to paste."""
    findings = study.findings
    whole = findings.counts.whole.texts
    sentences = [
        f"{whole:,} {study.unit} were classified by {study.run} (nlpkit {__version__}), with the labels "
        f"{', '.join(findings.labels)}.",
    ]
    if study.is_corrected:
        sentences.append(
            f"Shares of labels were corrected for misclassification by {study.correction.source}, with the "
            "probabilistic adjusted count (Bella et al. 2010, doi:10.1109/ICDM.2010.75), which assumes that "
            "texts of a label look alike in both. 95% intervals are percentiles of "
            f"{RESAMPLES:,} resamples of the labeled rows of each label, with the mean answer of each group "
            "drawn from its normal distribution."
        )
    else:
        sentences.append(
            "Shares of labels are those that the classifier gave, not corrected for its mistakes, with 95% "
            "Jeffreys intervals (Brown, Cai and DasGupta 2001)."
        )
    if findings.differences:
        sentences.append(
            f"Each group was compared with all other {study.unit} ({len(findings.differences)} tests), with "
            "p-values corrected by Holm (1979)."
        )
    if findings.series:
        sentences.append(
            f"Change points in {findings.series} series of shares by {study.plan.every} were found by binary "
            "segmentation with the likelihood ratio of a step in the mean (Scott and Knott 1974), divided by "
            "the noise between neighboring periods. Critical values were simulated from series of the same "
            f"sizes without a change; the family-wise rate of false alarms is at most {LEVEL:.0%}."
        )
    seed = f"Random choices have the seed {study.seed}. Hash: {study.hash}."
    return (*sentences, *_about(study.about), seed)


def _about(about: About) -> list[str]:
    sentences = []
    if about.themes is not None:
        themes = about.themes
        sentences.append(
            f"Themes are clusters ({themes.clusters.method}, scikit-learn) of the mean token embeddings of "
            f"{themes.distinct:,} different texts of a random sample, in "
            f"{themes.clusters.axes.n_components_} principal components, named by class-based TF-IDF "
            "(Grootendorst 2022). Their stability is the "
            f"adjusted Rand index over {themes.stability.bootstraps} bootstraps: {themes.stability.ari:.2f}."
        )
    if about.aspects is not None:
        sentences.append(
            f"Aspects and their polarity were read by {about.aspects.run}, with Wilson intervals."
        )
    if about.drivers:
        sentences.append(
            "Changes of counted shares were decomposed into the shares of parts and the rates within them "
            "(Kitagawa 1955), with 95% intervals by 4,000 draws (Bayesian bootstrap of shares, Jeffreys' "
            "distribution of rates) and p-values corrected by Holm (1979)."
        )
    return sentences
