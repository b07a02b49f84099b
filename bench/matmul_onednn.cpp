// Our matrix products beside oneDNN's, in fp32, interleaved: one markdown table with the rate of each and the share of
// the roof. Both have their weights packed before the clock starts (oneDNN: format_tag::any); dW reads activations as
// they are.
//   bench_matmul_onednn [seconds a cell] [largest number of threads]
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <thread>
#include <vector>

#include "core/roof.hpp"
#include "core/arena.hpp"
#include "core/exec.hpp"
#include "statera/random.hpp"
#include "ops/matmul/matmul.hpp"

namespace statera {
namespace {

struct Problem {
  const char* name;
  int64_t rows, in, out;
};

constexpr Problem problems[] = {
    {"base, up", 2048, 384, 1536},   {"base, in", 2048, 384, 768},      {"base, down", 2048, 768, 384},
    {"small, up", 2048, 192, 768},   {"small, down", 2048, 384, 192},   {"base, M = 64", 64, 384, 1536},
    {"base, M = 16", 16, 384, 1536}, {"base, M = 4", 4, 384, 1536},     {"base, M = 1", 1, 384, 1536},
    {"large, M = 1", 1, 2048, 8192}, {"large, M = 16", 16, 2048, 8192},
};

// One thread is timed by what it computed, so that a busy machine tells the truth too; several by the clock on the
// wall.
clockid_t timer = CLOCK_MONOTONIC;

double now() {
  timespec t;
  clock_gettime(timer, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double seconds_of(const std::function<void()>& f, int repeats) {
  const double start = now();
  for (int i = 0; i < repeats; ++i) f();
  return (now() - start) / repeats;
}

Tensor random_tensor(uint64_t stream, const Shape& shape) {
  const Random random(1, stream);
  Tensor t(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i)
    t.as<float>()[i] = static_cast<float>(2 * random.uniform(static_cast<uint64_t>(i)) - 1);
  return t;
}

// dst = src weights, with strides; a packed copy of the weights if oneDNN wants one and `pack`.
class OneDnn {
 public:
  OneDnn(int64_t m, int64_t n, int64_t k, float* src, bool src_transposed, float* weights, bool weights_transposed,
         bool pack, float* dst) {
    using dnnl::memory;
    using tag = memory::format_tag;
    const auto f32 = memory::data_type::f32;
    const memory::desc plain({k, n}, f32, weights_transposed ? tag::ba : tag::ab);
    const memory::desc from({m, k}, f32, src_transposed ? tag::ba : tag::ab), to({m, n}, f32, tag::ab);
    const memory::desc wanted = pack ? memory::desc({k, n}, f32, tag::any) : plain;
    const dnnl::matmul::primitive_desc pd({from, wanted, to}, engine_);
    matmul_ = dnnl::matmul(pd);
    src_ = memory(from, engine_, src);
    dst_ = memory(to, engine_, dst);
    memory given(plain, engine_, weights);
    weights_ = given;
    if (pd.weights_desc() != plain) {
      weights_ = memory(pd.weights_desc(), engine_);
      dnnl::reorder(given, weights_).execute(stream_, given, weights_);
      stream_.wait();
    }
  }
  void operator()() {
    matmul_.execute(stream_, {{DNNL_ARG_SRC, src_}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_DST, dst_}});
    stream_.wait();
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul matmul_;
  dnnl::memory src_, weights_, dst_;
};

struct Rates {
  double ours = 0, theirs = 0;  // GFLOP/s, the best of the rounds
};

Rates compare(double flops, double budget, const std::function<void()>& ours, const std::function<void()>& theirs) {
  const double once = std::max(1e-7, std::min(seconds_of(ours, 2), seconds_of(theirs, 2)));
  const int repeats = std::max(1, static_cast<int>(0.004 / once));
  // OpenMP's threads spin on for a while, which is not our time to pay
  const auto pause = std::chrono::milliseconds(10);
  Rates best;
  for (double spent = 0; spent < budget;) {
    std::this_thread::sleep_for(pause);
    seconds_of(ours, repeats);
    const double a = seconds_of(ours, repeats);
    std::this_thread::sleep_for(pause);
    seconds_of(theirs, repeats);
    const double b = seconds_of(theirs, repeats);
    best.ours = std::max(best.ours, flops / a * 1e-9);
    best.theirs = std::max(best.theirs, flops / b * 1e-9);
    spent += 2 * (a + b) * repeats;
  }
  return best;
}

double peak(ThreadPool& pool) {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    constexpr int64_t iterations = 2000000;
    const double flops = run_fma_chains(1) * static_cast<double>(iterations) * pool.size();
    const double time =
        seconds_of([&] { pool.run(pool.size(), [&](int64_t, int) { run_fma_chains(iterations); }); }, 1);
    best = std::max(best, flops / time * 1e-9);
  }
  return best;
}

void print_row(const Problem& p, const char* product, const Rates& r, double roof) {
  std::printf("| %s | %lld x %lld x %lld | %s | %.1f | %.1f | %.0f %% | %.0f %% |\n", p.name,
              static_cast<long long>(p.rows), static_cast<long long>(p.in), static_cast<long long>(p.out), product,
              r.ours, r.theirs, 100 * r.ours / r.theirs, 100 * r.ours / roof);
  std::fflush(stdout);
}

void run_problem(const Problem& p, Exec& exec, double budget, double roof) {
  const Tensor x = random_tensor(1, {p.rows, p.in}), w = random_tensor(2, {p.out, p.in}),
               dy = random_tensor(3, {p.rows, p.out});
  const Tensor y(DType::f32, {p.rows, p.out}), dx(DType::f32, {p.rows, p.in}), dw(DType::f32, {p.out, p.in});
  const double flops = 2.0 * static_cast<double>(p.rows * p.in * p.out);
  Weight weight;
  weight.bind(w, {}, nullptr);
  {
    OneDnn theirs(p.rows, p.out, p.in, x.as<float>(), false, w.as<float>(), true, true, y.as<float>());
    print_row(p, "x W^T",
              compare(
                  flops, budget, [&] { matmul(exec, x, weight, y); }, theirs),
              roof);
  }
  if (p.rows < 64) return;
  {
    const Tensor memory(DType::f32, {Panels::elements(p.in, p.out)});
    const Panels panels = Panels::pack(exec.pool, w, false, Precision::fp32, memory.as<float>());
    OneDnn theirs(p.rows, p.in, p.out, dy.as<float>(), false, w.as<float>(), false, true, dx.as<float>());
    const MatmulProduct<float> product{.a = dy.as<float>(),
                                       .lda = p.out,
                                       .b = w.as<float>(),
                                       .ldb = p.in,
                                       .transposed = false,
                                       .panels = panels,
                                       .c = dx.as<float>(),
                                       .ldc = p.in,
                                       .m = p.rows,
                                       .n = p.in,
                                       .k = p.out,
                                       .accumulate = false};
    print_row(p, "dy W",
              compare(
                  flops, budget, [&] { matmul_cpu.product(product, exec); }, theirs),
              roof);
  }
  OneDnn theirs(p.out, p.in, p.rows, dy.as<float>(), true, x.as<float>(), false, false, dw.as<float>());
  const MatmulWeightGrad<float> grad{.dy = dy.as<float>(),
                                     .dy_stride = p.out,
                                     .x = x.as<float>(),
                                     .x_stride = p.in,
                                     .dw = dw.as<float>(),
                                     .dw_stride = p.in,
                                     .rows = p.rows,
                                     .out = p.out,
                                     .in = p.in};
  print_row(p, "dy^T x",
            compare(
                flops, budget, [&] { matmul_cpu.weight_grad(grad, exec); }, theirs),
            roof);
}

}  // namespace
}  // namespace statera

int main(int argc, char** argv) {
  using namespace statera;
  const double budget = argc > 1 ? std::atof(argv[1]) : 0.5;
  const int most = argc > 2 ? std::atoi(argv[2]) : 2;
  const FlushDenormals flush;
  for (int threads = 1; threads <= most; threads *= 2) {
    const Device device = Device::cpu({.threads = threads});
    omp_set_num_threads(threads);
    timer = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    Arena scratch;
    Exec exec{pool_of(device), scratch, device.kernels()};
    const double roof = peak(pool_of(device));
    std::printf("\n%s; fp32 peak %.0f GFLOP/s\n\n", device.description().c_str(), roof);
    std::printf(
        "| shape | N x in x out | product | ours, GFLOP/s | oneDNN | ratio | of the peak "
        "|\n|---|---|---|---|---|---|---|\n");
    for (const Problem& problem : problems) run_problem(problem, exec, budget, roof);
  }
}
