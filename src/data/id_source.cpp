#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "core/machine.hpp"
#include "statera/data.hpp"

namespace statera {

IdSource::IdSource(ByteSource bytes) : source_(std::move(bytes)), units_(byte_units()) {}

IdSource::IdSource(ByteSource bytes, std::shared_ptr<const Units> units, const std::function<void()>& often)
    : source_(std::move(bytes)), units_(std::move(units)) {
  if (units_ == byte_units()) return;
  int64_t largest = 0;
  for (int64_t d = 0; d < source_.documents(); ++d)
    largest = std::max(largest, static_cast<int64_t>(source_.document(d).size()));
  // A document is encoded as a whole. Measured: 17 to 23 bytes for each of its bytes (BPE of 400 ids).
  require_memory(23.0 * static_cast<double>(largest) + 8.0 * static_cast<double>(source_.bytes() - largest),
                 "encoding " + source_.name(), "give smaller files, or less of them");
  auto all = std::make_shared<Encoded>();
  for (int64_t d = 0; d < source_.documents(); ++d) {
    if (often) often();
    const auto document = source_.document(d);
    UnitIds ids;
    try {
      ids = units_->encode({reinterpret_cast<const char*>(document.data()), document.size()});
    } catch (const Error& error) {
      fail(error.code(), "[data] ", source_.name(), ", document ", d + 1, ": ", error.what());
    }
    if (ids.bytes.empty()) ids.bytes.assign(ids.ids.size(), 1);
    all->ids.insert(all->ids.end(), ids.ids.begin(), ids.ids.end());
    all->bytes.insert(all->bytes.end(), ids.bytes.begin(), ids.bytes.end());
    all->ends.push_back(static_cast<int64_t>(all->ids.size()));
  }
  encoded_ = std::move(all);
}

int64_t IdSource::document_at(int64_t position) const {
  if (!encoded_) return source_.document_at(position);
  const auto& ends = encoded_->ends;
  return std::upper_bound(ends.begin(), ends.end(), position) - ends.begin();
}

}  // namespace statera
