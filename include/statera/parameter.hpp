// A trained tensor: what it is called, how it starts, how the optimizer treats it.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

class Random;

// The initial value of element `index`, from the parameter's own stream of random numbers (its name and the seed).
using Init = std::function<double(const Random&, uint64_t index)>;
Init init_constant(double value);
Init init_uniform(double bound);  // [-bound, bound]
Init init_normal(double standard_deviation);

struct ParameterPart {  // a logical part along axis 0: the z rows of in_proj
  std::string name;
  int64_t rows;
};

struct Parameter {
  std::string name;  // "layers.0.mixer.in_proj.weight"; once in the whole model
  Shape shape;
  Init init;
  bool decay = false;                // weight decay: matrices of projections yes; norms, biases, A_log, D, dt_bias no
  double lr_scale = 1;               // factor of the learning rate; 0: rests
  std::vector<ParameterPart> parts;  // in order, covering axis 0; empty: one part

  Tensor value, grad;  // empty until Model allocates them; grad only in training; value too where the matrix is kept in
                       // 8 or 4 bits
  std::atomic<uint64_t> version{0};  // raised whenever value changes, so that packed copies know they are stale

  Parameter(std::string name, const Shape& shape, Init init, bool decay = false)
      : name(std::move(name)), shape(shape), init(std::move(init)), decay(decay) {}
  virtual ~Parameter() = default;
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  void allocate(DType dtype, bool with_grad);
  void initialise(uint64_t seed);
  void changed() { version.fetch_add(1); }
  int64_t elements() const { return shape.elements(); }

 private:
  virtual void allocated() {}  // value and grad are there: for the engine's own kinds
};

struct ParameterVisitor {
  virtual ~ParameterVisitor() = default;
  virtual void visit(Parameter&) = 0;
};

}  // namespace statera
