// A table of learned rows that ids select, as a memory of n-grams has one.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "nn/bound_parameter.hpp"
#include "ops/embedding/embedding.hpp"

namespace statera {

// Owns the parameter, which is trained by rows (statera/parameter.hpp). For inference the rows may be stored in int8 or
// int4 and are read from there; then there is no copy in f32. Thread safety: const members may be called from several
// threads.
class Table {
 public:
  // `name` is the full name of the parameter: "layers.0.mixer.table". `lr_scale` is a factor of its learning rate.
  Table(const std::string& name, int64_t rows, int64_t width, Init init, double lr_scale = 1);

  // ids [N, per_row], each in [0, rows) -> [N, width], the sum, or [N, per_row width]. Throws ErrorCode::shape.
  Var operator()(Tape& tape, std::span<const int32_t> ids, int64_t per_row = 1, Joined joined = Joined::summed) const;
  // y is [N, width] or [N, per_row width]. Throws ErrorCode::shape.
  void operator()(Exec& exec, std::span<const int32_t> ids, const View& y) const;
  void visit(ParameterVisitor& visitor) { visitor.visit(table_); }
  int64_t width() const { return table_.shape[1]; }
  DType dtype() const { return table_.value.dtype(); }  // of what is read: f32 for rows in int8 and int4 too

 private:
  class Small final : public QuantisedStore {  // the rows in 8 or 4 bits, one after the other, as in a file
   public:
    explicit Small(const Parameter& table) : table_(table) {}
    // Throws ErrorCode::shape, naming the parameter, unless the rows are those of its shape.
    void take(ThreadPool&, QuantisedTensors rows, int64_t width) override;
    QuantisedMatrix saved(std::vector<Tensor>&) const override { return view(); }
    QuantisedMatrix view() const { return rows_.view(); }
    bool empty() const { return rows_.values.empty(); }

   private:
    const Parameter& table_;
    QuantisedTensors rows_;
  };

  BoundParameter table_;
  Small small_{table_};  // empty: the rows are in table_.value
};

}  // namespace statera
