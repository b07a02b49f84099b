#include "golden/golden_case.hpp"
#include "ops/selective_scan/selective_scan.hpp"

namespace statera::test {
namespace {

GoldenCase selective_scan_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor u = file.tensor("in.u"), B = file.tensor("in.B");
  const int64_t batch = u.dim(0), channels = u.dim(1), length = u.dim(2), n = batch * length,
                d_state = file.tensor("in.A").dim(1);
  const int64_t groups = B.shape.size() == 4 ? B.dim(1) : 1, width = groups * d_state;
  const GoldenRows rows(file, batch, length, file.has("in.initial_state") ? later : 0);
  for (const char* name : {"u", "delta", "z"}) b.input(name, {n, channels}, rows_of(u));
  for (const char* name : {"B", "C"}) b.input(name, {n, width}, grouped_rows(batch, width, length));
  b.input("A", {channels, d_state});
  b.input("D", {channels});
  b.input("delta_bias", {channels});
  b.input("initial_state", {rows.sequences(), channels, d_state});
  b.output("out", "out", rows_of(u));
  b.output("final_state", "final_state");
  const bool softplus = file.config().at("delta_softplus").get<bool>();
  b.op_case.run = [rows, softplus](Tape& tape, const NamedVars& in) {
    const SelectiveScanOut out = selective_scan(tape,
                                                {.u = in.at("u"),
                                                 .delta = in.at("delta"),
                                                 .A = in.at("A"),
                                                 .B = in.at("B"),
                                                 .C = in.at("C"),
                                                 .D = find(in, "D"),
                                                 .z = find(in, "z"),
                                                 .delta_bias = find(in, "delta_bias"),
                                                 .delta_softplus = softplus},
                                                find(in, "initial_state"), rows.rows());
    return NamedVars{{"out", out.y}, {"final_state", out.last}};
  };
  return b.finish(std::max(n * d_state, channels), "selective_scan");  // delta_bias: a sum over positions and states
}

const bool added = add_golden("selective_scan", selective_scan_case);

}  // namespace
}  // namespace statera::test
