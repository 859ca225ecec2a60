# Give the program its two large models, then start it.
set -eu

# It replaces the code beside a large model by its own, and the place of the weights is read-only.
# So these two are real folders: links to the weights, and copies of the code.
writable() {
  folder="/app/checkpoints/$2"
  rm -rf "$folder"
  mkdir -p "$folder"
  for file in "$1"/*; do
    case $file in
      *.py) cp "$file" "$folder/" ;;
      *) ln -s "$file" "$folder/" ;;
    esac
  done
}

writable "$MODEL_TURBO" acestep-v15-xl-turbo
writable "$MODEL_SFT" acestep-v15-xl-sft

cd /app
exec python3 acestep-studio.py
