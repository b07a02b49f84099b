#include "statera/carry.hpp"

#include "core/check.hpp"

namespace statera {

namespace {
int64_t lane_of(const Tokens& tokens, size_t sequence, int64_t length) { return tokens.offsets[sequence] / length; }

size_t lanes_of(const Tokens& tokens, int64_t length) {
  return static_cast<size_t>((static_cast<int64_t>(tokens.ids.size()) + length - 1) / length);
}

void require_count(const CarriedState& state, size_t count, int64_t length, const char* what) {
  require(length > 0, ErrorCode::shape, "[carry] lanes of ", length, " rows");
  for (const Tensor& tensor : state.slots)
    require(tensor.shape()[0] == static_cast<int64_t>(count), ErrorCode::shape, "[carry] the states are of ",
            tensor.shape()[0], " ", what, ", the batch has ", count);
  require(count > 0 ? state.positions.size() % count == 0 : state.positions.empty(), ErrorCode::shape, "[carry] ",
          state.positions.size(), " positions are not those of ", count, " ", what);
}

bool one_a_lane(const Tokens& tokens, int64_t length) {
  for (size_t s = 0; s < tokens.start.size(); ++s)
    if (tokens.offsets[s] != static_cast<int64_t>(s) * length) return false;
  return true;
}

void take(CarriedState& state, const std::vector<int64_t>& from) {
  if (state.slots.empty()) return;
  const auto before = static_cast<size_t>(state.slots.front().shape()[0]);
  for (Tensor& tensor : state.slots) {
    Shape shape = tensor.shape();
    shape[0] = static_cast<int64_t>(from.size());
    Tensor taken(tensor.dtype(), shape);
    for (size_t i = 0; i < from.size(); ++i)
      copy(tensor.view().row_range(from[i], 1), taken.view().row_range(static_cast<int64_t>(i), 1));
    tensor = std::move(taken);
  }
  std::vector<int64_t> positions;
  for (size_t clock = 0; clock < state.positions.size() / before; ++clock)
    for (const int64_t i : from) positions.push_back(state.positions[clock * before + static_cast<size_t>(i)]);
  state.positions = std::move(positions);
}
}  // namespace

void lanes_from_sequences(const Tokens& tokens, int64_t length, CarriedState& state) {
  require_count(state, tokens.start.size(), length, "sequences");
  if (one_a_lane(tokens, length)) return;
  std::vector<int64_t> from;
  for (size_t s = 0; s < tokens.start.size(); ++s)
    if (s + 1 == tokens.start.size() || lane_of(tokens, s + 1, length) != lane_of(tokens, s, length))
      from.push_back(static_cast<int64_t>(s));
  take(state, from);
}

void sequences_from_lanes(const Tokens& tokens, int64_t length, CarriedState& state) {
  require_count(state, length > 0 ? lanes_of(tokens, length) : 0, length, "lanes");
  if (state.empty() || one_a_lane(tokens, length)) return;
  std::vector<int64_t> from;
  for (size_t s = 0; s < tokens.start.size(); ++s) from.push_back(lane_of(tokens, s, length));
  take(state, from);
}

}  // namespace statera
