#include "nn/table.hpp"

#include "core/check.hpp"

namespace statera {

void Table::Small::take(ThreadPool&, QuantisedTensors rows, int64_t width) {
  const Shape& shape = table_.shape;
  require(width == shape[1] && rows.view().fits(shape), ErrorCode::shape, "[table] ", table_.name, ": ",
          name_of(rows.format), " ", shape, " got ", rows.view().str(), " of ", width, " columns");
  rows_ = std::move(rows);
}

Table::Table(const std::string& name, int64_t rows, int64_t width, Init init, double lr_scale)
    : table_(name, {rows, width}, std::move(init)) {
  table_.by_rows = true;
  table_.lr_scale = lr_scale;
  table_.store = &small_;
}

Var Table::operator()(Tape& tape, std::span<const int32_t> ids, int64_t per_row, Joined joined) const {
  if (!small_.empty()) return embedding(tape, ids, small_.view(), width(), per_row, joined);
  const Var rows =
      table_.grad.empty() ? tape.constant(table_.value) : tape.leaf(table_.value, table_.grad, table_.touched);
  return embedding(tape, ids, rows, per_row, joined);
}

void Table::operator()(Exec& exec, std::span<const int32_t> ids, const View& y) const {
  if (!small_.empty()) return embedding(exec, ids, small_.view(), width(), y);
  embedding(exec, ids, table_.value, y);
}

}  // namespace statera
