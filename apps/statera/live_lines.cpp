#include "live_lines.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "io/printable.hpp"
#include "text/columns.hpp"

namespace statera::cli {

namespace {
struct Size {
  size_t columns = 80, rows = 24;  // of a terminal that does not say its size
};

Size size_of(std::FILE* out) {
  winsize told{};
  Size size;
  if (ioctl(fileno(out), TIOCGWINSZ, &told) != 0) return size;
  if (told.ws_col > 0) size.columns = told.ws_col;
  if (told.ws_row > 0) size.rows = told.ws_row;
  return size;
}
}  // namespace

LiveLines::LiveLines(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {}

LiveLines::~LiveLines() { keep(); }

// The last column stays free: after a character in it, a terminal may or may not have started a new row.
size_t LiveLines::columns() const { return terminal_ ? size_of(out_).columns - 1 : std::numeric_limits<size_t>::max(); }

// The text that moves the cursor to the first of our lines. If the terminal has become narrower than one of them, the
// line may or may not have been broken into several rows, depending on the terminal. Then only the cursor's own row is
// surely ours, and our lines start again there.
std::string LiveLines::to_top() {
  if (drawn_ == 0) return {};
  const Size size = size_of(out_);
  const size_t up = widest_ > size.columns ? 0 : std::min(drawn_, size.rows) - 1;
  return up > 0 ? "\r\033[" + std::to_string(up) + "A" : "\r";
}

std::string LiveLines::block() {
  std::string text;
  drawn_ = std::min(lines_.size(), size_of(out_).rows);  // lines that do not fit on the screen are left out
  widest_ = 0;
  for (size_t i = 0; i < drawn_; ++i) {
    const std::string line = cut_to_columns(lines_[i], columns());
    widest_ = std::max(widest_, columns_of(line));
    text += (i > 0 ? "\r\n" : "") + line + "\033[K";
  }
  return text + "\033[J";
}

void LiveLines::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void LiveLines::set(size_t index, const std::string& line) {
  if (!terminal_) return write(printable(line) + "\n");
  if (lines_.size() <= index) lines_.resize(index + 1);
  lines_[index] = printable(line);
  const std::string top = to_top();
  write(top + block());
}

void LiveLines::print(const std::string& line) {
  const std::string plain = printable(line);
  if (!terminal_ || drawn_ == 0) return write(plain + "\n");
  const std::string top = to_top();
  write(top + "\033[J" + plain + "\r\n" + block());
}

void LiveLines::keep() {
  if (drawn_ > 0) write("\r\n");
  drawn_ = 0;
  lines_.clear();
}

void LiveLines::clear() {
  if (drawn_ > 0) write(to_top() + "\033[J");
  drawn_ = 0;
  lines_.clear();
}

}  // namespace statera::cli
