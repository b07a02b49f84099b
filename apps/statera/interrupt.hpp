// While an Interrupt lives, SIGINT, SIGTERM and SIGHUP (the terminal was closed) only ask to stop, except those that
// were ignored before. A signal half a second or more after the first ends the program at once. It sets handlers of the
// whole process, so there may be one at a time; asked() may be called from any thread.
#pragma once
#include <signal.h>

namespace statera::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  static bool asked();

 private:
  struct sigaction before_int_, before_term_, before_hup_;
};

}  // namespace statera::cli
