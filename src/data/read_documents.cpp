#include "data/read_documents.hpp"

#include "data/named_inputs.hpp"
#include "data/unpack.hpp"

namespace statera {

DocumentsRead read_documents(const std::string& path, const ReadOptions& options,
                             FunctionRef<void(std::span<const uint8_t>)> piece, FunctionRef<void()> end) {
  DocumentsRead all;
  NamedInputs inputs(options, [&](int descriptor, const std::string& name, Reading& reading) {
    const size_t bytes = read_pieces(descriptor, name, reading, piece);
    all.bytes += static_cast<int64_t>(bytes);
    if (bytes > 0) end();
    return bytes;
  });
  inputs.read(path);
  all.documents = inputs.documents();
  all.cut = inputs.cut();
  all.left_out = inputs.left_out();
  return all;
}

}  // namespace statera
