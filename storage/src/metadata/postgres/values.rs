//! Values on their way into PostgreSQL and out of it.

use std::error::Error as StdError;

use bytes::{BufMut, Bytes, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::metadata::Value;

type Unfit = Box<dyn StdError + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(number) if *kind == Type::INT8 => out.put_i64(*number),
            Self::Int(number) if *kind == Type::INT4 => out.put_i32(i32::try_from(*number)?),
            Self::Real(number) if *kind == Type::FLOAT8 => out.put_f64(*number),
            Self::Text(text) if *kind == Type::TEXT || *kind == Type::VARCHAR => {
                out.put_slice(text.as_bytes());
            }
            Self::Blob(bytes) if *kind == Type::BYTEA => out.put_slice(bytes),
            Self::Int(_) | Self::Real(_) | Self::Text(_) | Self::Blob(_) => {
                return Err(format!("the statement wants {kind} where it is given {self:?}").into());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Unfit> {
        match *kind {
            Type::INT8 => Ok(Self::Int(i64::from_sql(kind, raw)?)),
            Type::INT4 => Ok(Self::Int(i32::from_sql(kind, raw)?.into())),
            Type::FLOAT8 => Ok(Self::Real(f64::from_sql(kind, raw)?)),
            Type::BYTEA => Ok(Self::Blob(Bytes::copy_from_slice(raw))),
            _ => Ok(Self::Text(String::from_sql(kind, raw)?)),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unfit> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::INT4 | Type::FLOAT8 | Type::BYTEA)
            || <String as FromSql<'_>>::accepts(kind)
    }
}
