# Link the repositories that the program only reads into its flat folder of checkpoints.
# The links name the place of the weights in the engine's container.
set -eu

link() {
  rm -rf "/checkpoints/$2"
  ln -s "/models/models--ACE-Step--$1" "/checkpoints/$2"
}

link acestep-5Hz-lm-0.6B/at/main acestep-5Hz-lm-0.6B
for part in acestep-v15-turbo acestep-5Hz-lm-1.7B Qwen3-Embedding-0.6B vae; do
  link "Ace-Step1.5/at/main/$part" "$part"
done
