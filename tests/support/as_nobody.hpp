// Tests of permissions, which hold for root too: root may read and write everything, so a child gives that up.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

namespace statera::test {

// Whether holds() is true in a child process that is not root. An exception that leaves holds() counts as false.
// Folders on the way to what it reads must be open to others.
template <class Holds>
bool as_nobody(Holds holds) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    try {
      _exit(holds() ? 0 : 1);
    } catch (...) {
      _exit(3);
    }
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace statera::test
