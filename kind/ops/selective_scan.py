"""Linear recurrences with coefficients that depend on the input, as associative scans over chunks.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023.
"""

from __future__ import annotations

import tensorflow as tf

CHUNK = 64
"""Steps that are combined at a time: log₂ of it passes over a chunk, and one chunk's states in memory."""


def selective_scan(
    values: tf.Tensor,
    delta: tf.Tensor,
    decay: tf.Tensor,
    into: tf.Tensor,
    out_of: tf.Tensor,
    chunk: int = CHUNK,
) -> tf.Tensor:
    """h_t = exp(Δ_t·A)·h_{t-1} + Δ_t·x_t·B_t and y_t = Σ_s h_t·C_t, h_0 = 0.

    Equations 2 and 4 of the paper with its simplified discretisation of B. Inside a chunk the recurrence is
    an associative scan of the pairs (a, b) under (a₁, b₁)·(a₂, b₂) = (a₁·a₂, a₂·b₁ + b₂); the chunks follow
    one another. Time and memory are linear in L.

    Args:
        values: x, float32 [M, L, C], M sequences.
        delta: Δ, float32 [M, L, C], from 0: how far a step moves the state.
        decay: A, float32 [M, C, S] or [1, C, S], below 0.
        into: B, float32 [M, L, S].
        out_of: C, float32 [M, L, S].
        chunk: steps that are combined at a time.

    Returns:
        y, float32 [M, L, C].
    """
    length = tf.shape(values)[1]
    count = -(-length // chunk)
    missing = count * chunk - length
    # A step with Δ = 0 keeps the state.
    pieces = [_pieces(part, missing, chunk) for part in (values, delta, into, out_of)]

    @tf.recompute_grad  # the states of one chunk at a time, backwards too
    def step(state, decay, x, d, b, c):  # all that it is differentiated by
        factors = tf.exp(d[..., tf.newaxis] * decay[:, tf.newaxis])  # [M, T, C, S]
        terms = (d * x)[..., tf.newaxis] * b[:, :, tf.newaxis]
        factors, terms = _scanned(factors, terms, chunk)
        states = factors * state[:, tf.newaxis] + terms
        return states[:, -1], tf.einsum("mtcs,mts->mtc", states, c)

    state = tf.zeros([tf.shape(values)[0], values.shape[-1], into.shape[-1]], values.dtype)
    first = tf.zeros_like(pieces[0][0])
    _, found = tf.scan(lambda last, part: step(last[0], decay, *part), tuple(pieces), (state, first))
    found = tf.reshape(tf.transpose(found, [1, 0, 2, 3]), [-1, count * chunk, values.shape[-1]])
    return found[:, :length]


def _pieces(part: tf.Tensor, missing: tf.Tensor, chunk: int) -> tf.Tensor:
    """[M, L, …] → [chunks, M, chunk, …], filled up with zeros."""
    filled = tf.pad(part, [[0, 0], [0, missing], [0, 0]])
    width = part.shape[-1]
    return tf.transpose(tf.reshape(filled, [tf.shape(part)[0], -1, chunk, width]), [1, 0, 2, 3])


def _scanned(factors: tf.Tensor, terms: tf.Tensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Inclusive scan along axis 1 in log₂(length) passes (Hillis and Steele, 1986)."""
    step = 1
    while step < length:
        before = [[0, 0], [step, 0], [0, 0], [0, 0]]
        earlier_factors = tf.pad(factors[:, :-step], before, constant_values=1.0)
        earlier_terms = tf.pad(terms[:, :-step], before)
        terms = factors * earlier_terms + terms
        factors = factors * earlier_factors
        step *= 2
    return factors, terms


def four_ways(images: tf.Tensor) -> tf.Tensor:
    """The pixels of an image as sequences in four directions.

    Args:
        images: float [N, H, W, C].

    Returns:
        float [4, N, H·W, C]: row by row, column by column, and both backwards.
    """
    channels = images.shape[-1]
    rows, columns = (
        tf.reshape(image, [tf.shape(images)[0], -1, channels])
        for image in (images, tf.transpose(images, [0, 2, 1, 3]))
    )
    return tf.stack([rows, columns, rows[:, ::-1], columns[:, ::-1]])


def four_ways_back(sequences: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """The sum over the four directions of `four_ways`: [4, N, H·W, C] → [N, H, W, C]."""
    channels = sequences.shape[-1]
    rows = sequences[0] + sequences[2, :, ::-1]
    columns = sequences[1] + sequences[3, :, ::-1]
    rows = tf.reshape(rows, [-1, height, width, channels])
    return rows + tf.transpose(tf.reshape(columns, [-1, width, height, channels]), [0, 2, 1, 3])
