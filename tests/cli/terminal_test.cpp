// What a user sees on a terminal: progress stays in its line, and nothing else lands in it or in the text of a model.
#include <algorithm>

#include "cli/terminal.hpp"

namespace statera {
namespace {

class Terminal : public TerminalProgram {
 protected:
  Terminal() {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i * i % 9973) + "\n";
    write("text.txt", text);
    write("config.json", test::config_of(test::Keeps::fixed, 32));
    write("keys.json", test::config_of(test::Keeps::growing, 32));
  }
  static std::string train(const std::string& out) {
    return "train text.txt --config config.json --length 32 --batch 4 --threads 1 --no-baselines --overwrite --out " +
           out;
  }
  static size_t count(const std::vector<std::string>& lines, const std::string& begin) {
    return static_cast<size_t>(
        std::ranges::count_if(lines, [&](const std::string& line) { return line.starts_with(begin); }));
  }
  static Screen screen_of(const Ran& ran, size_t columns) {
    Screen screen(columns);
    screen.write(ran.out);
    return screen;
  }
};

TEST_F(Terminal, ProgressStaysInItsLine) {
  for (const int columns : {200, 80, 40, 12}) {
    const Ran ran = run_on_terminal(train("m") + " --steps 60 --evaluate-every 2", columns);
    ASSERT_EQ(ran.code, 0) << ran.out;
    const Screen screen = screen_of(ran, static_cast<size_t>(columns));
    EXPECT_GE(std::ranges::count(ran.out, '\r'), 25) << "nothing was written over";
    const std::vector<std::string> lines = screen.lines();
    ASSERT_EQ(count(lines, "step "), 1u) << columns << "\n" << screen.text();
    const std::string last =
        *std::ranges::find_if(lines, [](const std::string& line) { return line.starts_with("step "); });
    EXPECT_TRUE(last.starts_with(std::string("step 60/60").substr(0, static_cast<size_t>(columns) - 3))) << last;
    if (columns >= 80) {
      EXPECT_EQ(count(lines, "held-out bits per byte"), 1u) << screen.text();
      EXPECT_NE(last.find("bits per byte"), std::string::npos) << last;
    }
    if (columns != 80) {
      EXPECT_EQ(last.find("loss") != std::string::npos, columns == 200) << last;
    }
    EXPECT_EQ(last.find(" left") != std::string::npos, columns >= 40) << last;
  }
}

TEST_F(Terminal, ATerminalThatBecomesNarrowerGetsShorterLines) {
  bool changed = false;
  size_t before = 0;
  const Ran ran =
      run_on_terminal(train("m") + " --steps 400 --evaluate-every 2", 120, [&](const std::string& out, int terminal) {
        if (changed || out.find("step 20/") == out.npos) return;
        changed = true;
        before = out.size();
        winsize size{};
        size.ws_row = 24;
        size.ws_col = 50;
        ioctl(terminal, TIOCSWINSZ, &size);
      });
  ASSERT_EQ(ran.code, 0) << ran.out;
  ASSERT_TRUE(changed);
  const size_t settled = ran.out.find("step ", before + 500);
  ASSERT_NE(settled, std::string::npos);
  Screen screen(50);
  screen.write(ran.out.substr(settled));
  EXPECT_EQ(count(screen.lines(), "step "), 1u) << screen.text();
}

TEST_F(Terminal, ScoreTakesItsProgressAway) {
  ASSERT_EQ(run(train("m") + " --steps 3").code, 0);
  const Ran ran = run_on_terminal("score m text.txt", 80);
  ASSERT_EQ(ran.code, 0) << ran.out;
  EXPECT_NE(ran.out.find(" bytes, "), std::string::npos) << ran.out;
  const std::vector<std::string> lines = screen_of(ran, 80).lines();
  ASSERT_GE(lines.size(), 2u);
  EXPECT_NE(lines[lines.size() - 2].find("bits per byte over "), std::string::npos) << lines[lines.size() - 2];
  for (const std::string& line : lines) EXPECT_EQ(line.find(" bytes, "), std::string::npos) << line;
}

TEST_F(Terminal, WarningsComeBehindTheText) {
  STATERA_NEEDS(test::Keeps::growing);
  ASSERT_EQ(
      run("train text.txt --config keys.json --length 32 --batch 4 --threads 1 --no-baselines --steps 60 --out a").code,
      0);
  const Ran alone = run("generate a --max-bytes 200 --temperature 0");
  EXPECT_EQ(alone.code, 0);
  EXPECT_NE(alone.err.find("keep keys and values see the last 32"), std::string::npos) << alone.err;
  const Ran ran = run_on_terminal("generate a --max-bytes 200 --temperature 0", 80);
  ASSERT_EQ(ran.code, 0) << ran.out;
  std::string text = ran.out;
  std::erase(text, '\r');
  EXPECT_EQ(text, alone.out + "\n" + alone.err);
  EXPECT_EQ(run("generate a --max-bytes 200 --temperature 0", "exec 3>all.txt; both() { \"$@\" >&3 2>&3; }; both").code,
            0);
  EXPECT_EQ(read("all.txt"), alone.out + "\n" + alone.err);
}

// A hardly trained model writes any bytes, also those that move the cursor.
TEST_F(Terminal, ControlCharactersAreShownInsteadOfSent) {
  ASSERT_EQ(run(train("m") + " --steps 1").code, 0);
  const auto controls = [](const std::string& text) {
    return std::ranges::count_if(text, [](char c) { return c >= 0 && c < ' ' && c != '\n' && c != '\t' && c != '\r'; });
  };
  const std::string command = "generate m --max-bytes 400 --temperature 2 --seed 1";
  EXPECT_GT(controls(run(command).out), 5);
  const Ran shown = run_on_terminal(command, 80);
  EXPECT_EQ(controls(shown.out), 0) << shown.out;
  EXPECT_NE(shown.out.find("\\x0"), std::string::npos) << shown.out;
  EXPECT_GT(controls(run_on_terminal(command + " --raw", 80).out), 5);
}

}  // namespace
}  // namespace statera
