// statera VERB ...: parses, runs the verb, and turns exceptions into one line and an exit status. 0: success, 1:
// failure, 2: wrong use.
#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "common.hpp"
#include "descriptors.hpp"
#include "io/atomic_file.hpp"
#include "io/printable.hpp"
#include "statera/error.hpp"
#include "values.hpp"
#include "verbs.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app{
      "Statera trains, compares and runs sequence models on raw bytes: state-space models, Transformers and hybrids.",
      "statera"};
  app.set_version_flag("--version", STATERA_VERSION);
  app.require_subcommand(1);
  app.footer("`statera VERB --help` shows a verb's flags and examples.");
  namespace cli = statera::cli;
  for (auto add :
       {cli::add_compare, cli::add_report, cli::add_train, cli::add_generate, cli::add_score, cli::add_info,
        cli::add_convert, cli::add_segments, cli::add_compress, cli::add_decompress, cli::add_tokenize, cli::add_bench})
    add(app);
  cli::read_values_as_typed(app);
  const auto verb = [&] { return cli::chosen_words(app); };
  const auto say = [&](const std::string& what) {
    std::fprintf(stderr, "%s: error: %s\n", verb().c_str(), statera::printable(what).c_str());
  };
  const auto with_hint = [&](const std::string& message) {
    return message + cli::several_values_hint(cli::chosen_verb(app), argc, argv, message);
  };
  const auto finish = [&] {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return 0;
    if (statera::cli::reader_has_gone()) return 128 + SIGPIPE;  // `| head` has all that it wanted
    say("cannot write the output (is the disk full?)");
    return 1;
  };
  try {
    app.parse(cli::marked_arguments(argc, argv));
    return finish();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return finish();
    }
    say(with_hint(cli::plain_message(app, argc, argv, cli::without_marks(error.what()))) + " (see " + verb() +
        " --help)");
    return 2;
  } catch (const statera::cli::UsageError& error) {
    say(cli::without_rooms(error.what(), argc, argv));
    return 2;
  } catch (const statera::cli::Interrupted&) {
    return 130;
  } catch (const std::bad_alloc&) {
    say("out of memory; free some, or take a smaller model, batch or length");
    return 1;
  } catch (const statera::Error& error) {
    if (dynamic_cast<const statera::ReaderHasGone*>(&error) != nullptr && statera::cli::reader_has_gone())
      return 128 + SIGPIPE;  // `--per-byte /dev/stdout | head`
    std::string message = cli::without_foreign_advice(cli::chosen_verb(app), error.what());
    // Shapes that do not fit are a fault of the program, and whoever looks for it needs to know the room.
    if (error.code() != statera::ErrorCode::shape) message = cli::without_rooms(std::move(message), argc, argv);
    say(error.code() == statera::ErrorCode::io ? with_hint(message) : message);
    return 1;
  } catch (const std::exception& error) {
    say(error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!statera::cli::ensure_standard_descriptors()) return 1;
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files shows as an error when writing, like a full disk
  // The same for a pipe without a reader: a `tee` that dies of Ctrl-C must not end a training before it has saved.
  std::signal(SIGPIPE, SIG_IGN);
  statera::cli::remember_command(argc, argv);
  return run(argc, argv);
}
