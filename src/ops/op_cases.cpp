#include "ops/op_case.hpp"

#include "ops/activation/activation.hpp"
#include "ops/attention/attention.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "ops/dechunk/dechunk.hpp"
#include "ops/dot_gate/dot_gate.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/embedding/embedding.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "ops/gather_rows/gather_rows.hpp"
#include "ops/join_columns/join_columns.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/ratio_loss/ratio_loss.hpp"
#include "ops/rope/rope.hpp"
#include "ops/routing/routing.hpp"
#include "ops/selective_scan/selective_scan.hpp"
#include "ops/ssd/ssd.hpp"

namespace statera {

CaseStates::CaseStates(const View& initial, DType dtype, const Shape& shape) {
  if (initial.empty()) own = std::make_shared<Tensor>(dtype, shape);
  const View states = initial.empty() ? own->view() : initial;
  for (int64_t s = 0; s < states.rows(); ++s) pointers.push_back(states.row_range(s, 1).data);
}

// A new operation adds its table here; the laws and the benchmark then cover it.
std::vector<OpCase> all_op_cases() {
  std::vector<OpCase> all;
  for (auto cases : {
           activation_cases,
           attention_cases,
           causal_conv1d_cases,
           cross_entropy_cases,
           dechunk_cases,
           dot_gate_cases,
           dropout_cases,
           elementwise_cases,
           embedding_cases,
           gated_rmsnorm_cases,
           gather_rows_cases,
           join_columns_cases,
           matmul_cases,
           ratio_loss_cases,
           rope_cases,
           routing_cases,
           selective_scan_cases,
           ssd_cases,
       }) {
    std::vector<OpCase> more = cases();
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return all;
}

}  // namespace statera
