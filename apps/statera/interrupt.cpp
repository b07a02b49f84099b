#include "interrupt.hpp"

namespace statera::cli {

namespace {
volatile sig_atomic_t stop_asked = 0;
void ask(int) { stop_asked = 1; }
}  // namespace

Interrupt::Interrupt() {
  stop_asked = 0;
  struct sigaction action = {};
  action.sa_handler = ask;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  const auto take = [&](int signal, struct sigaction& before) {
    sigaction(signal, &action, &before);
    if (before.sa_handler == SIG_IGN) sigaction(signal, &before, nullptr);  // nohup, or a shell that runs this behind others: not meant for it
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

bool Interrupt::asked() { return stop_asked != 0; }

}  // namespace statera::cli
