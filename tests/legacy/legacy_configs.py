"""The configs that the fixtures were trained by, and one of each recipe with every key of nlpkit 0.1.0."""

from __future__ import annotations

TRAINED = (
    """
recipe: sentiment
name: polarity
task: {kind: polarity, labels: [negative, positive]}
data: {train: data/polarity.csv, validation: 0.2, test: 0.2, near_duplicates: 1.0}
base: {source: bases/bert, dropout: 0.02}
lora: {rank: 4, alpha: 16, dropout: 0.02}
training: {epochs: 6, batch_size: 16, lr: 0.01, evaluations: 2}
""",
    """
recipe: sentiment
name: topics
data: {train: data/topics.csv, validation: 0.2, near_duplicates: 1.0}
base: {source: bases/bert, max_tokens: 32}
lora: {rank: 4, alpha: 8, init: pissa, rslora: true}
training: {epochs: 4, batch_size: 16, lr: 0.01, evaluations: 2, class_weights: balanced, label_smoothing: 0.1}
""",
    """
recipe: sentiment
name: stars
task: {kind: polarity, labels: [1, 2, 3, 4, 5]}
data:
  train: [{source: data/rated.csv, label: points, bins: [1, 2, 5, 6.5], weight: weight}]
  validation: 0.2
  near_duplicates: 1.0
base: {source: bases/bert}
lora: {rank: 4, alpha: 8, targets: [query, value]}
training: {preset: fast, epochs: 4, lr: 0.01, precision: fp32, evaluations: 4}
""",
    """
recipe: sentiment
name: intensity
task: {kind: intensity, low: -4, high: 4}
data: {train: [{source: data/rated.csv, label: mean}], validation: 0.2, test: 0.2, near_duplicates: 1.0}
base: {source: bases/bert}
lora: {rank: 4, alpha: 16}
training: {epochs: 6, batch_size: 16, lr: 0.01, evaluations: 2}
""",
    """
recipe: sentiment
name: spread
task: {kind: intensity, spread: true}
data: {train: [{source: data/rated.csv, label: mean, spread: sd}], validation: 0.2, near_duplicates: 1.0}
base: {source: bases/bert}
lora: {rank: 4, alpha: 16, dora: true}
training: {epochs: 4, batch_size: 16, lr: 0.01, evaluations: 2}
""",
    """
recipe: sentiment
name: seeds
task: {kind: polarity, labels: [negative, positive]}
data: {train: data/polarity.csv, validation: 0.2, near_duplicates: 1.0}
base: {source: bases/bert}
lora: {rank: 2, alpha: 8}
training: {epochs: 2, batch_size: 16, lr: 0.01, evaluations: 1}
seeds: [1, 2]
""",
    """
recipe: distill
name: student
teacher: runs/polarity
plain: runs/seeds/seed-1
data: {unlabelled: data/unlabelled.csv, validation: data/held.csv, near_held_out: 1.0}
base: {source: bases/bert, dropout: 0.0}
lora: {rank: 4, alpha: 16}
distillation: {temperature: 1.0, hidden_weight: 0.5}
training: {epochs: 6, batch_size: 16, lr: 0.01, evaluations: 2}
""",
    """
recipe: dialogue
name: bot
task: {system: Be kind.}
data: {train: data/chats.jsonl, validation: 0.2, test: 0.2, near_duplicates: 1.0}
base: {source: bases/llama, max_tokens: 256}
lora: {rank: 4, alpha: 8}
training: {epochs: 16, batch_size: 8, lr: 0.02, evaluations: 2, packing: true}
evaluation: {items: 8, generate: 4, candidates: 5}
""",
    """
recipe: preference
name: pairs
run: runs/bot
data: {train: data/pairs.jsonl, held_out: 0.2, near_duplicates: 1.0}
training: {epochs: 2, lr: 0.01, batch_size: 8, anchor: 0.2}
""",
    """
recipe: preference
name: liked
run: runs/bot
data: {train: data/liked.jsonl, held_out: 0.2, near_duplicates: 1.0}
training: {epochs: 2, lr: 0.01, batch_size: 8}
""",
)
"""In the order in which they are trained: some start from others."""

_ROWS = (
    "{source: rows.csv, text: body, label: stars, labels: {1: negative, 5: positive}, bins: [0.5], "
    "spread: sd, weight: sure, format: csv, encoding: latin-1, limit: 50}"
)
_TALKS = (
    "{source: talks.jsonl, shape: turns, bot: second, messages: said, system: topic, prompt: asked, "
    "reply: told, conversation: of, speaker: who, text: what, format: jsonl, encoding: utf-16, limit: 40, "
    "on_bad: skip}"
)
_LIKED = (
    "{source: liked.jsonl, messages: said, prompt: asked, system: topic, conversation: of, reply: told, "
    "rating: stars, ratings: {5: up, 1: down}, chosen: better, rejected: worse, format: jsonl, "
    "encoding: utf-8, limit: 30}"
)
_LORA = "{rank: 4, alpha: 8, dropout: 0.1, targets: [query, value], init: pissa, rslora: true, dora: true}"
_TRAINING = """epochs: 2.5
  max_steps: 90
  batch_size: 6
  accumulate: 2
  lr: 3.0e-4
  warmup: 0.1
  schedule: cosine
  weight_decay: 0.02
  max_grad_norm: 0.5
  group_by_length: false
  precision: bf16
  evaluations: 5
  average: true
  patience: 2
  track: [tensorboard]
  workers: 1"""

_SENTIMENT = f"""
recipe: sentiment
name: whole
task: {{TASK}}
data:
  train: [{_ROWS}]
  validation: [{_ROWS}]
  test: 0.2
  near_duplicates: 0.7
base: {{source: bases/bert, max_tokens: 48, dropout: 0.1}}
lora: {_LORA}
training:
  {_TRAINING}
  metric: accuracy
  label_smoothing: 0.1
  class_weights: balanced
  preset: fast
  freeze: 0.5
  cache_mb: 64
seed: 3
seeds: [4, 5]
output: elsewhere
"""

CONFIGS = {
    "polarity": _SENTIMENT.replace("{TASK}", "{kind: polarity, labels: [bad, 'yes', 1], ordered: false}"),
    "intensity": _SENTIMENT.replace("{TASK}", "{kind: intensity, low: -2, high: 3.5, spread: true}"),
    "distill": f"""
recipe: distill
name: whole
teacher: runs/polarity
plain: runs/seeds/seed-1
data:
  unlabelled:
    - {{source: t.txt, text: body, cut: spans, words: [3, 30], format: csv, encoding: latin-1, limit: 20}}
  train: [{_ROWS}]
  validation: 0.2
  test: [{_ROWS}]
  near_duplicates: 0.7
  near_held_out: 0.6
base: {{source: bases/bert, max_tokens: 48, dropout: 0.1}}
lora: {_LORA}
distillation:
  temperature: 3
  label_weight: 0.25
  labelled_times: 2
  hidden_weight: 0.5
  precision: fp32
training:
  {_TRAINING}
  metric: accuracy
seed: 3
seeds: [4, 5]
output: elsewhere
""",
    "dialogue": f"""
recipe: dialogue
name: whole
task: {{kind: dialogue, system: Be kind.}}
data:
  train: [{_TALKS}]
  validation: 0.1
  test: [{_TALKS}]
  near_duplicates: 0.7
base: {{source: bases/llama, max_tokens: 96, dropout: 0.1, quantize: 4bit}}
lora: {_LORA}
training:
  {_TRAINING}
  packing: true
  gradient_checkpointing: true
evaluation:
  items: 12
  generate: 6
  candidates: 5
  judge: {{address: "http://localhost:1/v1", model: judge}}
seed: 3
seeds: [4, 5]
output: elsewhere
""",
    "preference": f"""
recipe: preference
name: whole
run: runs/promoted.json
data:
  train: [{_LIKED}]
  held_out: [{_LIKED}]
  near_duplicates: 0.7
training:
  method: dpo
  beta: 0.2
  anchor: 0.1
  epochs: 2
  max_steps: 90
  batch_size: 6
  accumulate: 2
  lr: 3.0e-5
  warmup: 0.2
  schedule: cosine
  weight_decay: 0.02
  max_grad_norm: 0.5
  max_tokens: 64
  precision: fp32
  gradient_checkpointing: true
  checkpoints: 2
  track: [tensorboard]
seed: 3
output: elsewhere
""",
}
"""Of each recipe, and of both tasks of the first."""
