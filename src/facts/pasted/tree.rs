//! What describe prints, as a tree by indentation.

/// A line with what stands below it, indented.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// What stands before the colon; empty where there is none.
    pub key: String,
    /// What stands after the colon.
    pub value: String,
    /// The whole line, without its indentation.
    pub text: String,
    pub indent: usize,
    pub below: Vec<Field>,
}

/// How deep a tree gets at most: describe prints five levels.
const DEPTH: usize = 12;

/// Makes a tree of lines. A line on the outermost level that `is_top` does not know goes on with the line before it:
/// a message has line ends of its own, and a terminal breaks long ones.
pub fn tree(lines: &[String], is_top: impl Fn(&str) -> bool) -> Vec<Field> {
    let mut root = Field::default();
    // The path to the last field, by its places.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let outer = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min().unwrap_or(0);
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let depth = indent(line) - outer;
        let field = field(line, depth);
        if depth == 0 && !path.is_empty() && !is_top(&field.key) {
            let last = at(&mut root, &path);
            last.value.push('\n');
            last.value.push_str(line.trim_end());
            last.text.push('\n');
            last.text.push_str(line.trim_end());
            continue;
        }
        while path.last().is_some_and(|(indent, _)| *indent >= depth) {
            path.pop();
        }
        path.truncate(DEPTH);
        let parent = at(&mut root, &path);
        parent.below.push(field);
        let place = parent.below.len() - 1;
        path.push((depth, place));
    }
    root.below
}

fn at<'a>(root: &'a mut Field, path: &[(usize, usize)]) -> &'a mut Field {
    let mut found = root;
    for (_, place) in path {
        found = &mut found.below[*place];
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn field(line: &str, indent: usize) -> Field {
    let text = line.trim();
    // `Name:   web`; a colon inside a word (an image, a URL) parts nothing.
    let (key, value) = match text
        .find(": ")
        .map(|at| (at, at + 2))
        .or_else(|| text.strip_suffix(':').map(|k| (k.len(), text.len())))
    {
        Some((end, rest)) => (&text[..end], text[rest..].trim()),
        None => ("", ""),
    };
    Field { key: key.trim().to_owned(), value: value.to_owned(), text: text.to_owned(), indent, below: Vec::new() }
}

/// Ways to read a list of fields.
pub trait Fields {
    /// Returns the field of this name.
    fn field(&self, key: &str) -> Option<&Field>;
    /// Returns the value of the field of this name; `None` where it is missing, empty or `<none>`.
    fn value(&self, key: &str) -> Option<&str>;
    /// Returns what stands below the field of this name.
    fn below(&self, key: &str) -> &[Field];
}

impl Fields for [Field] {
    fn field(&self, key: &str) -> Option<&Field> {
        self.iter().find(|field| field.key == key)
    }

    fn value(&self, key: &str) -> Option<&str> {
        let value = self.field(key)?.value.as_str();
        (!matches!(value, "" | "<none>" | "<unset>" | "<unknown>")).then_some(value)
    }

    fn below(&self, key: &str) -> &[Field] {
        self.field(key).map(|field| field.below.as_slice()).unwrap_or_default()
    }
}

impl Field {
    /// Returns the entries of a list that begins beside its key and goes on below: labels, taints, tolerations.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.value.as_str())
            .chain(self.below.iter().map(|field| field.text.as_str()))
            .flat_map(str::lines)
            .map(str::trim)
            .filter(|text| !matches!(*text, "" | "<none>"))
    }
}
