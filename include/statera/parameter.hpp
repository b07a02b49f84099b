// A trained tensor: its name, its initial values, and how the optimizer treats it.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "statera/random.hpp"
#include "statera/tensor.hpp"

namespace statera {

// Gives the initial value of element `index`. Random is the parameter's own stream, which depends on its name and the
// seed.
using Init = std::function<double(const Random&, uint64_t index)>;
Init init_constant(double value);
Init init_uniform(double bound);  // [-bound, bound]
Init init_normal(double standard_deviation);

struct ParameterPart {  // a named part along axis 0, such as the z rows of in_proj
  std::string name;
  int64_t rows;
};

// Owned by the module that it belongs to, and so by the Model. Reading is safe from several threads; whoever writes
// `value` must be alone, and must call changed() afterwards.
struct Parameter {
  std::string name;  // "layers.0.mixer.in_proj.weight"; unique in the model
  Shape shape;
  Init init;
  // whether weight decay applies: true for matrices of projections, false for norms, biases, A_log, D and dt_bias
  bool decay = false;
  double lr_scale = 1;  // factor of the learning rate; 0: the parameter is not trained
  // Whether the parameter is a table of which a step reads few rows (statera/optimizer.hpp). Its Vars then come from
  // Tape::leaf(value, grad, touched). `touched` has the rows into which backward has written a gradient; whoever zeroes
  // the gradient clears it. It is mutable because backward holds a const Parameter.
  bool by_rows = false;
  mutable RowSet touched;
  std::vector<ParameterPart> parts;  // in order, covering axis 0; empty: the parameter is one part

  // Both are empty until the Model allocates them. `grad` exists in training only. `value` stays empty where the matrix
  // is stored in int8 or int4.
  Tensor value, grad;
  // incremented whenever `value` changes, so that packed copies know that they are stale
  std::atomic<uint64_t> version{0};

  Parameter(std::string name, const Shape& shape, Init init, bool decay = false)
      : name(std::move(name)), shape(shape), init(std::move(init)), decay(decay) {}
  virtual ~Parameter() = default;
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  void allocate(DType dtype, bool with_grad);  // makes `value` and, if wanted, `grad`, both zero
  void initialise(uint64_t seed);              // fills `value` with `init`, rounded to float whatever the dtype
  void changed() { version.fetch_add(1); }
  int64_t elements() const { return shape.elements(); }

 private:
  // called when value and grad have been allocated; the engine's own kinds of parameter override it
  virtual void allocated() {}
};

// Sees the parameters of a module, one after the other. It may keep pointers to them for as long as the module lives.
struct ParameterVisitor {
  virtual ~ParameterVisitor() = default;
  virtual void visit(Parameter&) = 0;
};

}  // namespace statera
