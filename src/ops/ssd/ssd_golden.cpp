#include "golden/golden_case.hpp"
#include "ops/ssd/ssd.hpp"

namespace statera::test {
namespace {

GoldenCase ssd_case(const GoldenFile& file) {
  OpCaseBuilder b(file);
  const GoldenTensor x = file.tensor("in.x"), B = file.tensor("in.B");
  const int64_t batch = x.dim(0), length = x.dim(1), heads = x.dim(2), headdim = x.dim(3), groups = B.dim(2),
                d_state = B.dim(3);
  const int64_t n = batch * length;
  const GoldenRows rows(file, batch, length, file.has("in.initial_states") ? later : 0);
  b.input("x", {n, heads * headdim});
  b.input("dt", {n, heads});
  b.input("A", {heads});
  for (const char* name : {"B", "C"}) b.input(name, {n, groups * d_state});
  if (file.has("in.D")) b.input("D", {static_cast<int64_t>(file.tensor("in.D").values.size())});
  b.input("dt_bias", {heads});
  b.input("initial_states", {rows.sequences(), heads, headdim, d_state});
  b.output("out", "out");
  b.output("final_states", "final_states");
  const auto& config = file.config();
  const SsdOptions options{.n_groups = groups,
                           .chunk_size = config.at("chunk_size").get<int64_t>(),
                           .dt_softplus = config.at("dt_softplus").get<bool>(),
                           .dt_limit_min = limit(config.at("dt_limit")[0]),
                           .dt_limit_max = limit(config.at("dt_limit")[1])};
  b.op_case.run = [rows, options](Tape& tape, const NamedVars& in) {
    const SsdOut out = ssd(tape,
                           {.x = in.at("x"),
                            .dt = in.at("dt"),
                            .A = in.at("A"),
                            .B = in.at("B"),
                            .C = in.at("C"),
                            .D = find(in, "D"),
                            .dt_bias = find(in, "dt_bias")},
                           find(in, "initial_states"), rows.rows(), options);
    return NamedVars{{"out", out.y}, {"final_states", out.last}};
  };
  // the gradients of A and dt_bias: a sum over positions and the state of a head
  return b.finish(n * headdim * d_state, "ssd");
}

const bool added = add_golden("ssd", ssd_case);

}  // namespace
}  // namespace statera::test
