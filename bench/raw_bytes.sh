# How files become raw bytes to model. To be sourced:
#   raw_bytes KIND FILE     prints the bytes; FILE may be packed as .xz; returns 1 for a file that cannot be read, 2 for an unknown kind
#     genome  FASTA file     the bases, in upper case, without headers and line ends
#     audio   16-bit WAV     the high byte of each sample of the first channel, so a byte is a sample of 8 bits
#     logs, text             as they are
raw_bytes() {
  local kind=$1 file=$2 cat=cat
  [ -r "$file" ] || { echo "error: cannot read $file" >&2; return 1; }
  case $file in *.xz) cat=xzcat ;; esac
  case $kind in
    genome) $cat "$file" | grep -v '^>' | tr -d '\n\r' | tr acgtn ACGTN ;;
    audio) $cat "$file" | python3 -c 'import io, sys, wave
with wave.open(io.BytesIO(sys.stdin.buffer.read())) as w:
    assert w.getsampwidth() == 2, "not 16-bit"
    samples = w.readframes(w.getnframes())[1::2 * w.getnchannels()]  # signed, so shifted by 128
    sys.stdout.buffer.write(bytes((b + 128) % 256 for b in samples))' ;;
    logs | text) $cat "$file" ;;
    *) echo "error: unknown kind '$kind'; known: genome, audio, logs, text" >&2; return 2 ;;
  esac
}
