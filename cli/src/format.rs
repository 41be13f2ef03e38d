//! What `--format` says: docker's templates, tables and JSON.

use std::collections::HashMap;

use gtmpl::{Context, FuncError, Template, Value};
use serde_json::Value as Json;

use crate::failure::Failure;
use crate::output;

/// One line of a list: what templates call it, and its value.
pub(crate) type Row = serde_json::Map<String, Json>;

/// A column of a list: what templates call it, and its heading.
pub(crate) type Column = (&'static str, &'static str);

/// Prints a list as `format` says, else as a table of `columns`. `headings` are those of all fields.
pub(crate) fn list(
    format: Option<&str>,
    columns: &[Column],
    headings: &[Column],
    rows: Vec<Row>,
) -> Result<(), Failure> {
    match format {
        None | Some("table") => {
            let cells = |row: &Row| columns.iter().map(|(field, _)| text(row.get(*field))).collect();
            let first = columns.iter().map(|(_, heading)| (*heading).to_owned()).collect();
            table(&std::iter::once(first).chain(rows.iter().map(cells)).collect::<Vec<_>>())
        }
        Some("json") => output::result(Json::Array(rows.into_iter().map(Json::Object).collect())),
        Some("jsonl") => rows.into_iter().try_for_each(|row| output::result(Json::Object(row))),
        Some(format) => match format.strip_prefix("table ") {
            Some(format) => {
                let template = Parsed::new(format)?;
                let first = headings.iter().map(|(field, heading)| ((*field).to_owned(), (*heading).into()));
                let lines = std::iter::once(first.collect()).chain(rows);
                let lines = lines.map(|row| template.render(&Json::Object(row)));
                let split = |line: String| line.split('\t').map(str::to_owned).collect();
                table(&lines.map(|line| line.map(split)).collect::<Result<Vec<_>, _>>()?)
            }
            None => {
                let template = Parsed::new(format)?;
                rows.into_iter().try_for_each(|row| output::result(template.render(&Json::Object(row))?))
            }
        },
    }
}

/// Prints values as one JSON document, or each as `format` says.
pub(crate) fn each(format: Option<&str>, values: Vec<Json>) -> Result<(), Failure> {
    match format {
        None => {
            let mut text = Vec::new();
            let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
            let mut writer = serde_json::Serializer::with_formatter(&mut text, indent);
            serde::Serialize::serialize(&Json::Array(values), &mut writer)
                .map_err(|error| Failure::new("printing", error))?;
            output::result(String::from_utf8_lossy(&text))
        }
        Some("json") => output::result(Json::Array(values)),
        Some("jsonl") => values.into_iter().try_for_each(output::result),
        Some(format) => {
            let template = Parsed::new(format)?;
            values.into_iter().try_for_each(|value| output::result(template.render(&value)?))
        }
    }
}

/// A template of Go's, as docker has it.
struct Parsed {
    text: String,
    template: Template,
}

impl Parsed {
    fn new(text: &str) -> Result<Self, Failure> {
        let mut template = Template::default();
        template.add_funcs(&[
            ("json", json as gtmpl::Func),
            ("lower", |args: &[Value]| of_text(args, |text| text.to_lowercase().into())),
            ("upper", |args: &[Value]| of_text(args, |text| text.to_uppercase().into())),
            ("join", join),
            ("split", split),
        ]);
        // As in a shell that doesn't turn them into tabs and line ends.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        template.parse(text.clone()).map_err(|error| {
            Failure::new(
                format!("reading the format '{text}'"),
                format!("{error}; write it as '{{{{.ID}}}}'"),
            )
        })?;
        Ok(Self { text, template })
    }

    fn render(&self, value: &Json) -> Result<String, Failure> {
        // Templates have no order of fields; the whole is given as it is.
        if self.text.split_ascii_whitespace().collect::<String>() == "{{json.}}" {
            return Ok(value.to_string());
        }
        self.template.render(&Context::from(Known(value))).map_err(|error| {
            let shown: String = error.to_string().chars().take(200).collect();
            Failure::new(format!("printing in the format '{}'", self.text), shown)
        })
    }
}

/// A document, for the templates' crate.
struct Known<'v>(&'v Json);

impl From<Known<'_>> for Value {
    fn from(Known(value): Known<'_>) -> Self {
        match value {
            Json::Null => Self::Nil,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), ..) => number.into(),
                (_, Some(number), _) => number.into(),
                (.., number) => number.unwrap_or(0.0).into(),
            },
            Json::String(text) => Self::String(text.clone()),
            Json::Array(items) => Self::Array(items.iter().map(|item| Known(item).into()).collect()),
            Json::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), Known(value).into()));
                Self::Object(fields.collect::<HashMap<_, _>>())
            }
        }
    }
}

fn json(args: &[Value]) -> Result<Value, FuncError> {
    match args {
        [value] => Ok(Value::String(document(value).to_string())),
        _ => Err(FuncError::ExactlyXArgs("json".to_owned(), 1)),
    }
}

fn document(value: &Value) -> Json {
    match value {
        Value::NoValue | Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(document).collect()),
        Value::Object(fields) | Value::Map(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            Json::Object(fields.into_iter().map(|(key, value)| (key.clone(), document(value))).collect())
        }
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.into(),
        },
    }
}

fn of_text(args: &[Value], change: impl FnOnce(&str) -> Value) -> Result<Value, FuncError> {
    match args {
        [Value::String(text)] => Ok(change(text)),
        _ => Err(FuncError::UnableToConvertFromValue),
    }
}

fn join(args: &[Value]) -> Result<Value, FuncError> {
    let [Value::Array(items), Value::String(between)] = args else {
        return Err(FuncError::UnableToConvertFromValue);
    };
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    Ok(items.join(between).into())
}

fn split(args: &[Value]) -> Result<Value, FuncError> {
    let [Value::String(text), Value::String(between)] = args else {
        return Err(FuncError::UnableToConvertFromValue);
    };
    Ok(Value::Array(text.split(between.as_str()).map(Value::from).collect()))
}

/// A cell of a table.
fn text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Prints lines of cells, three spaces between the longest and the next, as docker does.
fn table(lines: &[Vec<String>]) -> Result<(), Failure> {
    const LEAST: usize = 10;
    const BETWEEN: usize = 3;
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        (cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + BETWEEN).max(LEAST)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for line in lines {
        let last = line.len().saturating_sub(1);
        let pad = |(at, cell): (usize, &String)| match at == last {
            true => cell.clone(),
            false => format!("{cell:width$}", width = widths[at]),
        };
        output::result(line.iter().enumerate().map(pad).collect::<String>())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str, value: &Json) -> Result<String, String> {
        Parsed::new(template).and_then(|parsed| parsed.render(value)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn templates_are_read_as_docker_reads_them() {
        let value = json!({
            "Id": "sha256:1", "Size": 7, "Tags": ["a", "b"], "Config": {"User": "", "Cmd": ["sh", "-c"]}
        });
        for (template, expected) in [
            ("{{.Id}}", "sha256:1"),
            ("{{ .Size }} bytes", "7 bytes"),
            ("{{json .Config}}", r#"{"Cmd":["sh","-c"],"User":""}"#),
            (r"{{range .Tags}}{{.}}\n{{end}}", "a\nb\n"),
            ("{{index .Tags 1}}", "b"),
            (r#"{{join .Config.Cmd " "}}"#, "sh -c"),
            ("{{upper .Id}}", "SHA256:1"),
            ("{{if .Config.User}}user{{else}}root{{end}}", "root"),
            ("{{len .Tags}}", "2"),
            (r"{{.Id}}\t{{.Size}}", "sha256:1\t7"),
        ] {
            assert_eq!(rendered(template, &value).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn the_whole_is_given_in_its_own_order() {
        let value = json!({"b": 1, "a": 2});
        assert_eq!(rendered("{{json .}}", &value).as_deref(), Ok(r#"{"b":1,"a":2}"#));
    }

    #[test]
    fn a_broken_template_and_an_unknown_field_are_told() {
        let value = json!({"Id": 1});
        for (template, words) in
            [("{{.Id", "reading the format"), ("{{.Nothing}}", "Nothing"), ("{{nosuch .}}", "reading")]
        {
            let said = rendered(template, &value).unwrap_err();
            assert!(said.contains(words), "{template}: {said}");
        }
    }
}
