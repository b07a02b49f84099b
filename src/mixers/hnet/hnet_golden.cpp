// Golden files of the operations of a stage.
#include <algorithm>

#include "autograd/operations.hpp"
#include "golden/golden_case.hpp"
#include "kernels/boundaries.hpp"
#include "kernels/view_kernels.hpp"
#include "ops/dechunk/dechunk.hpp"
#include "ops/gather_rows/gather_rows.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/ratio_loss/ratio_loss.hpp"
#include "ops/routing/routing.hpp"

namespace statera::test {
namespace {

// Padding has p but is no cut, in files with a mask: the reference's rows of one length. It stays out of the loss here.
GoldenCase routing_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x");
  const int64_t batch = x.dim(0), length = x.dim(1), width = x.dim(2), n = batch * length;
  GoldenRows rows(file, batch, length);
  file.said_elsewhere("out.selected_probs");  // the larger half of boundary_prob; its gradient is read below
  const bool step = file.has("in.last_hidden_state");
  std::vector<int32_t> before;
  for (size_t s = 0; s + 1 < rows.offsets.size(); ++s) {
    const bool seen = step && file.integers("in.has_seen_tokens")[s] != 0;
    rows.start[s] = seen ? later : 0;
    for (int32_t t = rows.offsets[s]; t < rows.offsets[s + 1]; ++t)
      before.push_back(t > rows.offsets[s] ? t - 1
                       : seen              ? static_cast<int32_t>(-1 - static_cast<int64_t>(s))
                                           : no_row);
  }
  b.input("x", {n, width});
  b.input("Wq", {width, width});
  b.input("Wk", {width, width});
  b.input("last_hidden_state", {batch, width});
  // [..., 2] = (1 - p, p), and the probability of the side that was chosen
  const auto second = [](const GoldenTensor& t) {
    std::vector<double> p;
    for (size_t i = 1; i < t.values.size(); i += 2) p.push_back(t.values[i]);
    return p;
  };
  b.output("p", "boundary_prob", second);
  const std::vector<double> p = second(file.tensor("out.boundary_prob"));
  const std::vector<double> d_pair = file.tensor("dout.boundary_prob").values,
                            d_selected = file.tensor("dout.selected_probs").values;
  std::vector<double>& dp = b.douts["p"];
  dp.clear();
  for (size_t i = 0; i < p.size(); ++i)
    dp.push_back(d_pair[2 * i + 1] - d_pair[2 * i] + (p[i] > 0.5 ? d_selected[i] : -d_selected[i]));
  std::vector<int64_t> mask = file.integers("out.boundary_mask");
  if (file.has("in.mask")) {  // only ours before the padding is cleared
    const std::vector<int64_t> real = file.integers("in.mask");
    for (size_t i = 0; i < mask.size(); ++i) mask[i] = real[i] ? mask[i] : p[i] > 0.5;
  }
  b.expected.outputs["cuts"] = {mask.begin(), mask.end()};
  b.op_case.run = [rows, before](Tape& tape, const NamedVars& in) {
    const Var x_before =
        gather_rows(tape, in.at("x"), find(in, "last_hidden_state"), before, tape.value(in.at("x")).shape);
    const Var probability =
        routing(tape, matmul(tape, x_before, in.at("Wq")), matmul(tape, in.at("x"), in.at("Wk")), rows.rows());
    const View found = tape.value(probability);
    const std::vector<int64_t> start(rows.start.size(), 0);
    const Boundaries cuts = find_boundaries(memory_of(tape), found, rows.rows(), start, 0);
    const Var as_numbers = tape.make(found.dtype, found.shape, false);
    set_each(tape.value(as_numbers), [&](int64_t t) { return cuts.cut(t) ? 1.0f : 0.0f; });
    return NamedVars{{"p", probability}, {"cuts", as_numbers}};
  };
  return b.finish(n * width, "routing");
}

// The cuts of a mask, [B, T] or [1, N].
Boundaries cuts_of(Arena& memory, const std::vector<int64_t>& mask, const Rows& rows) {
  const Tensor p(DType::f64, {static_cast<int64_t>(mask.size())});
  set_each(p, [&](int64_t t) { return static_cast<float>(mask[static_cast<size_t>(t)]); });
  const std::vector<int64_t> start(rows.start.size(), later);
  return find_boundaries(memory, p, rows, start, 0);
}

// [B, most, D] with padded rows <-> [M, D]
std::vector<double> without_padding(const GoldenTensor& t, const Rows& inner) {
  if (t.dim(0) != inner.sequences()) return t.values;
  std::vector<double> rows;
  for (int64_t s = 0; s < inner.sequences(); ++s) {
    const double* first = t.values.data() + s * t.dim(1) * t.dim(2);
    rows.insert(rows.end(), first, first + inner.length(s) * t.dim(2));
  }
  return rows;
}

GoldenCase chunk_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x");
  const int64_t n = x.dim(0) * x.dim(1), width = x.dim(2);
  const GoldenRows rows(file, x.dim(0), x.dim(1));
  for (const char* name : {"out.next_mask", "out.next_cu_seqlens"})
    file.said_elsewhere(name);  // how many cuts there are
  const std::vector<int64_t> mask = file.integers("in.boundary_mask");
  Arena memory;
  const Boundaries cuts = cuts_of(memory, mask, rows.rows());
  b.input("x", {n, width});
  b.output("chunks", "chunks", [&](const GoldenTensor& t) { return without_padding(t, cuts.inner); });
  b.op_case.run = [rows, mask, width](Tape& tape, const NamedVars& in) {
    const Boundaries found = cuts_of(memory_of(tape), mask, rows.rows());
    return NamedVars{{"chunks", gather_rows(tape, in.at("x"), {}, found.outer_row, {found.inner.total(), width})}};
  };
  return b.finish(1, "gather_rows");
}

GoldenCase dechunk_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor z = file.tensor("in.z"), p = file.tensor("in.p");
  const int64_t batch = p.dim(0), length = p.dim(1), width = z.dim(2), n = batch * length;
  const bool carried = file.has("in.last_value"), combined = file.has("in.residual");
  const GoldenRows rows(file, batch, length, carried ? later : 0);
  file.said_elsewhere("in.next_cu_seqlens");  // how many cuts there are
  const std::vector<int64_t> mask = file.integers("in.boundary_mask");
  Arena memory;
  const Boundaries cuts = cuts_of(memory, mask, rows.rows());
  const auto inner = [&](const GoldenTensor& t) { return without_padding(t, cuts.inner); };
  b.input("z", {cuts.inner.total(), width}, inner);
  b.input("p", {n});
  b.input("residual", {n, width});
  b.input("last_value", {batch, width});
  b.output("upsampled", "upsampled");
  b.output("combined", "combined");
  b.output("last_value", "last_value");
  b.op_case.run = [rows, mask, combined](Tape& tape, const NamedVars& in) {
    const Boundaries found = cuts_of(memory_of(tape), mask, rows.rows());
    const auto call = [&](Var residual, Confidence confidence) {
      return dechunk(tape, {in.at("z"), in.at("p"), residual}, find(in, "last_value"), rows.rows(), found, confidence);
    };
    const DechunkOut plain = call({}, Confidence::none);
    NamedVars out{{"upsampled", plain.y}, {"last_value", plain.last}};
    if (combined) out["combined"] = call(in.at("residual"), Confidence::straight_through).y;
    return out;
  };
  return b.finish(std::max(n, width), "dechunk");
}

GoldenCase ratio_loss_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const std::vector<int64_t> mask = file.integers("in.boundary_mask");
  const auto n = static_cast<int64_t>(mask.size()), cuts = std::count(mask.begin(), mask.end(), 1);
  b.input("p", {n});
  b.output("loss", "loss");
  b.op_case.run = [cuts, positions = file.config().at("N").get<double>()](Tape& tape, const NamedVars& in) {
    return NamedVars{{"loss", ratio_loss(tape, in.at("p"), cuts, {.positions = positions})}};
  };
  return b.finish(n, "ratio_loss");
}

const bool added = add_golden("hnet_routing", routing_case) && add_golden("hnet_chunk", chunk_case) &&
                   add_golden("hnet_dechunk", dechunk_case) && add_golden("hnet_ratio_loss", ratio_loss_case);

}  // namespace
}  // namespace statera::test
