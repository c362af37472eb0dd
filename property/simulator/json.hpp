// A reader of JSON for tests, which refuses what is none.
//
// Threads: any.
// Invariants:
//   1. It is stricter than the standard: a key is there once, and characters are escaped as \uXXXX or not at all.
//   2. Characters of a \uXXXX that are not ASCII are read as a question mark.
#pragma once
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace simulation {

struct Json {
    enum class Kind { null, boolean, number, text, list, object } kind = Kind::null;
    double number = 0;
    std::string text;
    std::vector<Json> list;
    std::map<std::string, Json> object;
    const Json& operator[](const std::string& key) const { return object.at(key); }
    bool has(const std::string& key) const { return object.contains(key); }
};

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : rest_(text) {}
    Json whole() {
        Json it = value();
        space();
        if (!rest_.empty()) refuse("nothing after the value");
        return it;
    }

private:
    [[noreturn]] void refuse(const std::string& wanted) const {
        throw std::runtime_error("wanted " + wanted + " before: " + std::string(rest_.substr(0, 60)));
    }
    void space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
    bool take(std::string_view wanted) {
        if (!rest_.starts_with(wanted)) return false;
        rest_.remove_prefix(wanted.size());
        return true;
    }
    char next() {
        if (rest_.empty()) refuse("more");
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    Json value() {
        space();
        Json it;
        if (take("null")) return it;
        if (take("true") || take("false")) {
            it.kind = Json::Kind::boolean;
        } else if (take("\"")) {
            it.kind = Json::Kind::text;
            it.text = text();
        } else if (take("[")) {
            it.kind = Json::Kind::list;
            for (space(); !take("]"); space()) {
                if (!it.list.empty() && !take(",")) refuse("a comma");
                it.list.push_back(value());
            }
        } else if (take("{")) {
            it.kind = Json::Kind::object;
            for (space(); !take("}"); space()) {
                if (!it.object.empty() && !take(",")) refuse("a comma");
                space();
                if (!take("\"")) refuse("a key");
                std::string key = text();
                if (!take(":")) refuse("a colon");
                if (!it.object.emplace(std::move(key), value()).second) refuse("each key once");
            }
        } else {
            const std::size_t size = rest_.find_first_not_of("-0123456789");
            if (size == 0) refuse("a value");
            it.kind = Json::Kind::number;
            it.number = std::stod(std::string(rest_.substr(0, size)));
            rest_.remove_prefix(std::min(size, rest_.size()));
        }
        return it;
    }
    std::string text() {
        std::string all;
        for (char c = next(); c != '"'; c = next()) {
            if (static_cast<unsigned char>(c) < 0x20) refuse("no control character");
            if (c != '\\') {
                all += c;
                continue;
            }
            if (next() != 'u') refuse("\\u");
            std::string code;
            for (int i = 0; i < 4; ++i) code += next();
            const int character = std::stoi(code, nullptr, 16);
            all += character < 0x80 ? static_cast<char>(character) : '?';
        }
        return all;
    }
    std::string_view rest_;
};

}  // namespace simulation
