#include "interrupt.hpp"

#include <time.h>

#include <atomic>
#include <cstdint>

namespace statera::cli {

namespace {
std::atomic<int64_t> first_asked = 0;  // nanoseconds of the monotonic clock; 0: not yet
static_assert(std::atomic<int64_t>::is_always_lock_free);

// One Ctrl-C may arrive twice: from the terminal, and from a program that passes it on.
void ask(int signal) {
  constexpr int64_t apart = 500'000'000;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t time = int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
  int64_t first = 0;
  if (first_asked.compare_exchange_strong(first, time) || time - first < apart) return;
  ::signal(signal, SIG_DFL);
  ::raise(signal);  // is delivered when this handler returns
}
}  // namespace

Interrupt::Interrupt() {
  first_asked = 0;
  struct sigaction action = {};
  action.sa_handler = ask;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  const auto take = [&](int signal, struct sigaction& before) {
    sigaction(signal, &action, &before);
    // ignored by nohup, or by a shell that runs this in the background
    if (before.sa_handler == SIG_IGN) sigaction(signal, &before, nullptr);
  };
  take(SIGINT, before_int_);
  take(SIGTERM, before_term_);
  take(SIGHUP, before_hup_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
  sigaction(SIGHUP, &before_hup_, nullptr);
}

bool Interrupt::asked() { return first_asked != 0; }

}  // namespace statera::cli
