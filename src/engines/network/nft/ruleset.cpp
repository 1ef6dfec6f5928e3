#include "engines/network/nft/ruleset.hpp"

#include <fmt/format.h>

namespace brume::network {
namespace {

// Names and expressions are JSON already, or consist of letters, digits and "_" (checked where they enter).
class Commands {
 public:
  void table(std::string_view verb, const Table& table) {
    line(fmt::format(R"({{"{}":{{"table":{{"family":"{}","name":"{}"}}}}}})", verb, table.family, table.name));
  }

  void set(const Table& table, const std::string& name, const Set& set) {
    const auto kind = set.value.empty() ? "set" : "map";
    const auto value = set.value.empty() ? "" : fmt::format(R"(,"map":{})", set.value);
    line(fmt::format(R"({{"add":{{"{}":{{{},"name":"{}","type":{}{}}}}}}})", kind, place(table), name, set.type, value));
  }

  void chain(const Table& table, const std::string& name, const Chain& chain) {
    const auto hook = chain.hook.empty() ? "" : "," + chain.hook.substr(1, chain.hook.size() - 2);
    line(fmt::format(R"({{"add":{{"chain":{{{},"name":"{}"{}}}}}}})", place(table), name, hook));
  }

  void named(std::string_view verb, std::string_view kind, const Table& table, const std::string& name) {
    line(fmt::format(R"({{"{}":{{"{}":{{{},"name":"{}"}}}}}})", verb, kind, place(table), name));
  }

  void rules(const Table& table, const std::string& chain, const std::vector<std::string>& rules) {
    for (const auto& rule : rules) line(fmt::format(R"({{"add":{{"rule":{{{},"chain":"{}","expr":{}}}}}}})", place(table), chain, rule));
  }

  void elements(std::string_view verb, const Table& table, const std::string& set, const std::vector<std::string>& elements) {
    if (elements.empty()) return;
    line(fmt::format(R"({{"{}":{{"element":{{{},"name":"{}","elem":[{}]}}}}}})", verb, place(table), set, fmt::join(elements, ",")));
  }

  std::string take() const { return text_.empty() ? std::string() : "{\"nftables\":[\n" + text_ + "\n]}\n"; }

 private:
  static std::string place(const Table& table) { return fmt::format(R"("family":"{}","table":"{}")", table.family, table.name); }

  void line(const std::string& command) {
    if (!text_.empty()) text_ += ",\n";
    text_ += command;
  }

  std::string text_;
};

std::vector<std::string> missing_in(const std::set<std::string>& from, const std::set<std::string>& in) {
  std::vector<std::string> missing;
  for (const auto& element : from)
    if (!in.contains(element)) missing.push_back(element);
  return missing;
}

const Chain* find(const Table& table, const std::string& name) {
  const auto found = table.chains.find(name);
  return found == table.chains.end() ? nullptr : &found->second;
}

// Order matters within the transaction: an object is made before those that refer to it, and removed after them.
void change(Commands& commands, const Table& from, const Table& to) {
  static const Set nothing;
  for (const auto& [name, set] : to.sets)
    if (!from.sets.contains(name)) commands.set(to, name, set);
  for (const auto& [name, chain] : to.chains)
    if (find(from, name) == nullptr) commands.chain(to, name, chain);
  for (const auto& [name, chain] : from.chains) {
    const auto* after = find(to, name);
    if (!chain.rules.empty() && (after == nullptr || after->rules != chain.rules)) commands.named("flush", "chain", to, name);
  }
  for (const auto& [name, chain] : to.chains) {
    const auto* before = find(from, name);
    if (before == nullptr || before->rules != chain.rules) commands.rules(to, name, chain.rules);
  }
  for (const auto& [name, set] : from.sets) {
    const auto after = to.sets.find(name);
    commands.elements("delete", to, name, missing_in(set.elements, after == to.sets.end() ? nothing.elements : after->second.elements));
  }
  for (const auto& [name, set] : to.sets) {
    const auto before = from.sets.find(name);
    commands.elements("add", to, name, missing_in(set.elements, before == from.sets.end() ? nothing.elements : before->second.elements));
  }
  for (const auto& [name, chain] : from.chains)
    if (find(to, name) == nullptr) commands.named("delete", "chain", to, name);
  for (const auto& [name, set] : from.sets)
    if (!to.sets.contains(name)) commands.named("delete", set.value.empty() ? "set" : "map", to, name);
}

}  // namespace

std::string replace_transaction(const std::vector<Table>& wanted) {
  Commands commands;
  for (const auto& table : wanted) {
    commands.table("add", table);  // so that delete finds one
    commands.table("delete", table);
    commands.table("add", table);
    change(commands, Table{table.family, table.name, {}, {}}, table);
  }
  return commands.take();
}

std::string change_transaction(const std::vector<Table>& from, const std::vector<Table>& to) {
  Commands commands;
  for (size_t i = 0; i < to.size(); ++i) change(commands, from[i], to[i]);
  return commands.take();
}

std::string remove_transaction(const std::vector<Table>& tables) {
  Commands commands;
  for (const auto& table : tables) {
    commands.table("add", table);
    commands.table("delete", table);
  }
  return commands.take();
}

}  // namespace brume::network
