"""What is learned in one domain, in another: parts, weights, covariances, shares, distances."""

import numpy as np
import pytest

from minilm.applications import domains
from minilm.applications.domains import (
    adapted,
    aligned,
    domain_splits,
    effective_size,
    importance_weights,
    proxy_distance,
)
from minilm.data import DOMAINS, RatedSentence

pytest.importorskip("sklearn", reason="domains are told apart by scikit-learn: pip install minilm[compare]")


@pytest.fixture
def sentences(monkeypatch):
    rows = [
        RatedSentence(f"{domain} {i}", 1.0 if i % 2 else -1.0, domain, f"{domain} {i // 2}")
        for domain in DOMAINS
        for i in range(40)
    ]
    rows += [RatedSentence("so so", 0.2, "movies", "movies 99"), RatedSentence("movies 3", 1.0, "tweets", "tweets 99")]
    monkeypatch.setattr(domains, "rated_sentences", lambda: rows)


def test_each_domain_has_parts_of_one_size_and_no_document_in_two(sentences):
    found = domain_splits((20, 8, 8))
    assert list(found) == list(DOMAINS)
    texts = []
    for split in found.values():
        parts = (split.train, split.validation, split.test)
        assert [len(part) for part in parts] == [20, 8, 8]
        documents = [{each.document for each in part} for part in parts]
        assert sum(map(len, documents)) == len(set.union(*documents))
        texts += [each.text for part in parts for each in part]
    assert len(set(texts)) == len(texts)
    assert "so so" not in texts


def test_a_domain_with_too_few_sentences_is_named(sentences):
    with pytest.raises(ValueError, match=r"movies: 40 sentences are clear, and parts of \(30, 10, 10\) need 50"):
        domain_splits((30, 10, 10))


class TestImportanceWeights:
    def test_the_ratio_of_two_normal_densities(self):
        """Of N(1, 1) and N(0, 1) it is exp(x - 1/2)."""
        rng = np.random.default_rng(0)
        source, target = rng.normal(0, 1, (20_000, 1)), rng.normal(1, 1, (20_000, 1))
        found = importance_weights(source, target, cost=100.0)
        right = np.exp(source[:, 0] - 0.5)
        assert np.median(np.abs(found / (right / right.mean()) - 1)) < 0.05
        assert abs((found * source[:, 0]).mean() - 1) < 0.1  # the source, weighted, has the target's mean

    def test_the_same_domain_weighs_evenly(self):
        x = np.random.default_rng(0).normal(size=(300, 2))
        np.testing.assert_allclose(importance_weights(x, x), 1.0, atol=1e-6)

    def test_more_of_the_target_changes_nothing(self):
        """n / m is a factor of all weights, and goes where they are divided by their mean."""
        rng = np.random.default_rng(0)
        source, target = rng.normal(0, 1, (3000, 1)), rng.normal(0.5, 1, (1000, 1))
        a, b = (importance_weights(source, t, 100.0) for t in (target, np.repeat(target, 3, axis=0)))
        np.testing.assert_allclose(a, b, rtol=0.02)

    @pytest.mark.parametrize("shapes", [((0, 2), (3, 2)), ((3, 2), (0, 2)), ((3, 2), (3, 1)), ((3,), (3,))])
    def test_what_is_no_pair_of_domains(self, shapes):
        with pytest.raises(ValueError, match=r"\(n, d\) and \(m, d\), are needed, not"):
            importance_weights(*map(np.zeros, shapes))


def test_effective_size():
    assert effective_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_size(np.array([0.0, 5.0, 0.0])) == pytest.approx(1)
    assert effective_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    for bad in ([], [0.0], [1.0, -1.0], [np.nan]):
        with pytest.raises(ValueError, match="0 or more"):
            effective_size(np.array(bad))


class TestAligned:
    def test_the_mean_and_the_covariance_are_the_target_s(self):
        rng = np.random.default_rng(1)
        source, target = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)), rng.normal([1, 2, 3], 1.0, (300, 3))
        found = aligned(source, target, ridge=0.0)
        np.testing.assert_allclose(found.mean(axis=0), target.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(np.cov(found.T, bias=True), np.cov(target.T, bias=True), atol=1e-10)

    def test_one_direction_without_variance(self):
        x = np.array([[1.0, 0.0], [-1.0, 0.0]])
        assert np.isfinite(aligned(x, x)).all()
        np.testing.assert_allclose(aligned(x, x), x, atol=1e-12)


class TestAdapted:
    def test_the_shares_of_the_target_are_found(self):
        """Two normal densities, one per label: 0.6 of the source has the second label, of the target a fifth."""
        rng = np.random.default_rng(0)
        y = rng.random(20_000) < 0.2
        x = rng.normal(np.where(y, 1.0, -1.0), 1.0)
        p = 1 / (1 + np.exp(-2 * x) * 0.4 / 0.6)  # right where the shares are those of the source
        found = adapted(np.stack([1 - p, p], axis=1), np.array([0.4, 0.6]))
        assert found[:, 1].mean() == pytest.approx(0.2, abs=0.01)
        right = 1 / (1 + np.exp(-2 * x) * 4)
        np.testing.assert_allclose(found[:, 1], right, atol=0.02)
        assert ((found[:, 1] > 0.5) == y).mean() > ((p > 0.5) == y).mean() + 0.02

    def test_probabilities_stay_probabilities(self):
        rng = np.random.default_rng(0)
        p = rng.dirichlet(np.ones(3), 50)
        found = adapted(p, p.mean(axis=0))
        np.testing.assert_allclose(found.sum(axis=1), 1.0)

    def test_what_does_not_fit(self):
        with pytest.raises(ValueError, match=r"not \(4, 2\) and \(3,\)"):
            adapted(np.full((4, 2), 0.5), np.ones(3) / 3)
        with pytest.raises(ValueError, match="share above 0"):
            adapted(np.full((4, 2), 0.5), np.array([0.0, 1.0]))


class TestProxyDistance:
    def test_from_0_to_2(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(0, 1, (2000, 2)), rng.normal(0, 1, (2000, 2))
        assert proxy_distance(a, b) < 0.15
        assert proxy_distance(a, b + 9) == 2.0
        assert 0.5 < proxy_distance(a, b + 1) < 1.2

    def test_one_vector(self):
        with pytest.raises(ValueError, match="two vectors of each domain"):
            proxy_distance(np.zeros((1, 2)), np.zeros((5, 2)))
