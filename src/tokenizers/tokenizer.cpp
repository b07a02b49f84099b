#include "statera/tokenizer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/check.hpp"
#include "core/thread_pool.hpp"
#include "io/printable.hpp"
#include "text/utf8.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/post_processors.hpp"
#include "tokenizers/tokenizer_impl.hpp"

namespace statera {

using namespace tokenizers;

void Tokenizer::Impl::encode_piece(std::string_view piece, bool plain, std::vector<int32_t>& ids,
                                   WordCache& words) const {
  if (piece.size() > WordCache::longest || !model->worth_remembering()) return model->encode(piece, plain, ids);
  const uint64_t hash = WordCache::hash(piece);
  if (words.find(piece, hash, ids)) return;
  const size_t before = ids.size();
  model->encode(piece, plain, ids);
  words.add(piece, hash, std::span(ids).subspan(before));
}

void Tokenizer::Impl::encode_text(std::string_view text, const EncodeOptions& options, Encoded& out) const {
  if (!any_bytes) {
    const size_t at = first_broken(text);
    require(at == text.npos, ErrorCode::config, name, ": the text is not UTF-8 at byte ", at,
            ", and this tokenizer takes characters only; give text");
  }
  std::unique_ptr<WordCache> words;
  auto& caches = caches_[options.plain];
  {
    const std::lock_guard lock(mutex_);
    if (!caches.empty()) {
      words = std::move(caches.back());
      caches.pop_back();
    }
  }
  if (!words) words = std::make_unique<WordCache>();
  Pieces pieces;
  added.find(text, normalizer.get(), options.plain, pieces);
  for (const auto& pre_tokenizer : pre_tokenizers) pre_tokenizer->split(pieces);
  out.ids.reserve(pieces.pieces.size() + pieces.pieces.size() / 4);
  for (const Piece& piece : pieces.pieces)
    if (piece.id >= 0)
      out.ids.push_back(piece.id);
    else
      encode_piece(pieces[piece], options.plain, out.ids, *words);
  const std::lock_guard lock(mutex_);
  caches.push_back(std::move(words));
}

std::vector<std::string> Tokenizer::Impl::tokens_of(std::span<const int32_t> ids, bool skip_specials) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    if (!decoded.empty()) {
      require(id >= 0 && id < std::ssize(decoded), ErrorCode::config, name, ": the id ", id,
              " is no token; expected 0 to ", highest_id);
      if (!skip_specials || !added.is_special(id)) tokens.push_back(decoded[static_cast<size_t>(id)]);
      continue;
    }
    const std::string* in_file = added.shown(id);
    const auto in_model = in_file ? std::optional<std::string_view>(*in_file) : model->shown(id);
    require(in_model.has_value(), ErrorCode::config, name, ": the id ", id, " is no token; expected 0 to ", highest_id);
    std::string token(*in_model);
    if (!skip_specials || !added.is_special_text(token)) tokens.push_back(std::move(token));
  }
  return tokens;
}

namespace {

// Truncates, adds what the post-processor adds, joins and pads.
Encoding finish(const Tokenizer::Impl& impl, std::vector<Encoded> parts, const EncodeOptions& options) {
  const bool pair = parts.size() == 2;
  const int64_t added = impl.post_processor && options.specials ? impl.post_processor->added(pair) : 0;
  for (size_t i = 0; i < parts.size(); ++i) parts[i].type_ids.assign(parts[i].ids.size(), static_cast<int32_t>(i));
  if (impl.truncation && options.limits) {
    const int64_t most = impl.truncation->max_length - added;
    require(most >= 0, ErrorCode::config, impl.name, ": its truncation to ", impl.truncation->max_length,
            " tokens leaves no room beside the ", added, " that are added");
    truncate(parts, *impl.truncation, most);
  }
  if (impl.post_processor) impl.post_processor->process(parts, options.specials);
  Encoded all;
  for (Encoded& part : parts) {
    if (all.ids.empty()) {
      all = std::move(part);
      continue;
    }
    all.ids.insert(all.ids.end(), part.ids.begin(), part.ids.end());
    all.type_ids.insert(all.type_ids.end(), part.type_ids.begin(), part.type_ids.end());
  }
  if (impl.padding && options.limits) pad(all, *impl.padding);
  return {std::move(all.ids), std::move(all.type_ids)};
}

std::string joined(const Tokenizer::Impl& impl, std::span<const int32_t> ids, bool skip_specials, bool raw) {
  std::vector<std::string> tokens = impl.tokens_of(ids, skip_specials);
  impl.decoder->decode(tokens, raw);
  std::string all;
  for (const std::string& token : tokens) all += token;
  return all;
}

}  // namespace

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<Encoded> parts(1);
  impl_->encode_text(text, options, parts[0]);
  return finish(*impl_, std::move(parts), options);
}

Encoding Tokenizer::encode(std::string_view text, std::string_view pair, const EncodeOptions& options) const {
  require(impl_->pairs, ErrorCode::unsupported, impl_->name, ": this format does not say how two texts are joined");
  std::vector<Encoded> parts(2);
  impl_->encode_text(text, options, parts[0]);
  impl_->encode_text(pair, options, parts[1]);
  return finish(*impl_, std::move(parts), options);
}

std::vector<Encoding> Tokenizer::encode_all(std::span<const std::string_view> texts, const EncodeOptions& options,
                                            int threads) const {
  std::vector<Encoding> all(texts.size());
  std::vector<std::exception_ptr> errors(texts.size());
  ThreadPool pool(threads);
  pool.run(static_cast<int64_t>(texts.size()), [&](int64_t task, int) {
    const auto i = static_cast<size_t>(task);
    try {
      all[i] = encode(texts[i], options);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return all;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_specials) const {
  return with_replacements(joined(*impl_, ids, skip_specials, false));
}

std::string Tokenizer::decode_bytes(std::span<const int32_t> ids, bool skip_specials) const {
  return joined(*impl_, ids, skip_specials, true);
}

const std::string& Tokenizer::name() const { return impl_->name; }
std::string_view Tokenizer::kind() const { return impl_->kind; }
int64_t Tokenizer::vocabulary_size() const { return int64_t{impl_->highest_id} + 1; }
bool Tokenizer::takes_any_bytes() const { return impl_->any_bytes; }
int64_t Tokenizer::self_tests() const { return impl_->self_tests; }

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  if (const AddedToken* added = impl_->added.with_content(token)) return added->id;
  return impl_->model->id_of(token);
}

std::optional<std::string> Tokenizer::token_of(int32_t id) const {
  if (const AddedToken* added = impl_->added.with_id(id)) return added->content;
  const auto token = impl_->model->token_of(id);
  return token ? std::optional(std::string(*token)) : std::nullopt;
}

bool Tokenizer::is_special(int32_t id) const { return impl_->added.is_special(id); }

// The last ids, since what a token adds may depend on those before it, and what they decode to.
struct TokenStream::State {
  Tokenizer tokenizer;
  bool skip_specials;
  std::vector<int32_t> ids = {};
  std::string text = {};
  Utf8Stream characters = {};
};

namespace {
constexpr size_t longest_window = 64, kept_window = 8;  // ids
}

TokenStream::TokenStream(Tokenizer tokenizer, bool skip_specials)
    : state_(new State{std::move(tokenizer), skip_specials}) {}
TokenStream::~TokenStream() = default;
TokenStream::TokenStream(TokenStream&&) noexcept = default;
TokenStream& TokenStream::operator=(TokenStream&&) noexcept = default;

std::string TokenStream::push_bytes(int32_t id) {
  State& s = *state_;
  s.ids.push_back(id);
  std::string text;
  try {
    text = s.tokenizer.decode_bytes(s.ids, s.skip_specials);
    require(text.starts_with(s.text), ErrorCode::unsupported, s.tokenizer.name(),
            ": its decoder changes text that came before, so ids cannot be decoded one by one; decode them together");
  } catch (...) {
    s.ids.pop_back();
    throw;
  }
  std::string added = text.substr(s.text.size());
  s.text = std::move(text);
  if (s.ids.size() > longest_window) {
    const std::vector<int32_t> last(s.ids.end() - static_cast<ptrdiff_t>(kept_window), s.ids.end());
    std::string of_last = s.tokenizer.decode_bytes(last, s.skip_specials);
    if (!of_last.empty()) {  // else the next token would be taken for the first
      s.ids = last;
      s.text = std::move(of_last);
    }
  }
  return added;
}

std::string TokenStream::push(int32_t id) {
  std::string whole;
  for (const char byte : push_bytes(id)) state_->characters.push(static_cast<unsigned char>(byte), whole);
  return whole;
}

std::string TokenStream::finish() {
  const bool pending = state_->characters.pending();
  state_->characters = {};
  return pending ? std::string(replacement_character) : "";
}

}  // namespace statera
