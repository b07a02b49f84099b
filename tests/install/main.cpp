#include <iostream>
#include <statera/statera.hpp>

int main(int, char** argv) {
  const auto model = statera::Model::load(argv[1]);
  statera::Session session(model);
  statera::Sampler sample({.temperature = 0.8f, .seed = 1});
  auto logits = session.prefill("ROMEO:");
  while (session.position() < 200) {
    const int32_t id = sample(logits);
    std::cout << char(id) << std::flush;
    logits = session.step(id);
  }
}
