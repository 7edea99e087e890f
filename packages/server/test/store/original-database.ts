/** The tables of the Python original with a few rows, as its models make them. */

/** What differs between the databases in the SQL that SQLAlchemy emits; `t` stands before the name of a table. */
export const EMITTED = {
  sqlite: { id: 'INTEGER NOT NULL', time: 'DATETIME', yes: '1', no: '0', t: '' },
  postgres: { id: 'SERIAL NOT NULL', time: 'TIMESTAMP WITHOUT TIME ZONE', yes: 'true', no: 'false', t: '{t}' },
} as const;

type Emitted = (typeof EMITTED)['sqlite' | 'postgres'];

export const TOKEN = 'gAAAAABpoBqgAAECAwQFBgcICQoLDA0OD2JjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo=';

const users = ({ id, t }: Emitted) => [
  `CREATE TABLE ${t}users (\n\tid ${id}, \n\temail VARCHAR(120), \n\tPRIMARY KEY (id)\n)`,
  `INSERT INTO ${t}users (id, email) VALUES (1, 'a@example.com'), (42, 'b@example.com')`,
];

const apiKeys = ({ id, time, yes, no, t }: Emitted) => [
  `CREATE TABLE ${t}api_keys (\n\tid ${id}, \n\tuser_id INTEGER NOT NULL, \n\tname VARCHAR(100) NOT NULL, \n\t` +
    'prefix VARCHAR(20) NOT NULL, \n\tencrypted_key TEXT NOT NULL, \n\tscopes VARCHAR(500), \n\t' +
    `created_at ${time}, \n\texpires_at ${time}, \n\tlast_used_at ${time}, \n\tis_active BOOLEAN, \n\t` +
    `description VARCHAR(200) NOT NULL, \n\tPRIMARY KEY (id), \n\tFOREIGN KEY(user_id) REFERENCES ${t}users (id)\n)`,
  `CREATE INDEX idx_api_key_prefix ON ${t}api_keys (prefix)`,
  `CREATE INDEX ix_api_keys_user_id ON ${t}api_keys (user_id)`,
  `INSERT INTO ${t}api_keys VALUES
    (1, 42, 'Production API Key', 'pk_abc123', '${TOKEN}', 'read:projects, write:sns', '2026-02-26 10:00:00.000000',
      '2026-03-28 10:00:00.123456', '2026-02-26 12:30:00.000000', ${yes}, 'for the shop'),
    (7, 1, 'Schlüssel', 'pk_integr_xyz', '${TOKEN}', NULL, '2026-02-26 10:00:00.000000', NULL, NULL, ${no}, ''),
    (9, 1, 'plain', 'pk_9', 'pk_9_not_encrypted', '', '2026-02-26 10:00:00.000000', NULL, NULL, NULL, '')`,
];

const auditLogs = ({ id, time, t }: Emitted) => [
  `CREATE TABLE ${t}audit_logs (\n\tid ${id}, \n\tuser_id INTEGER, \n\taction VARCHAR(100) NOT NULL, \n\t` +
    'resource_type VARCHAR(50), \n\tresource_id INTEGER, \n\tip_address VARCHAR(45), \n\tstatus VARCHAR(20), \n\t' +
    `timestamp ${time}, \n\tdetails TEXT, \n\tPRIMARY KEY (id), \n\tFOREIGN KEY(user_id) REFERENCES ${t}users (id)\n)`,
  `CREATE INDEX ix_audit_logs_timestamp ON ${t}audit_logs (timestamp)`,
  `INSERT INTO ${t}audit_logs VALUES
    (3, 42, 'api_key_created', 'api_key', 1, '192.168.1.100', 'success', '2026-02-26 10:00:00.000000', NULL),
    (5, NULL, 'login', NULL, NULL, NULL, 'failed', '2026-02-26 23:59:59.999000', 'User profile accessed')`,
];

const rotations = ({ id, time, t }: Emitted) => [
  `CREATE TABLE ${t}encryption_key_rotations (\n\tid ${id}, \n\told_key_version VARCHAR(50) NOT NULL, \n\t` +
    `new_key_version VARCHAR(50) NOT NULL, \n\ttimestamp ${time}, \n\trotation_status VARCHAR(20), \n\t` +
    'total_records INTEGER, \n\trotated_records INTEGER, \n\tfailed_records INTEGER, \n\terror_details TEXT, \n\t' +
    'initiated_by INTEGER, \n\tPRIMARY KEY (id)\n)',
  `INSERT INTO ${t}encryption_key_rotations VALUES
    (1, 'v1', 'v2', '2026-02-26 10:00:00.000000', 'completed', 150, 150, 0, NULL, 1),
    (2, 'v2', 'v3', '2026-02-26 10:00:00.000000', 'in_progress', 150, 120, 0, NULL, NULL),
    (3, 'v2', 'v3', '2026-02-26 10:00:00.000000', 'pending', NULL, NULL, NULL, 'slow', 42),
    (4, 'v2', 'v3', '2026-02-26 10:00:00.000000', 'failed', 150, 1, 149, 'Manual intervention', 42),
    (20, 'v2', 'v3', '2026-02-26 10:00:00.000000', 'rolled_back', -1, 0, 0, NULL, 42)`,
];

/** Statements that make all of its tables, in the order of `ORIGINAL_NAMES`. */
export const originalTables = (emitted: Emitted): Record<'users' | (typeof ORIGINAL_NAMES)[number], string[]> => ({
  users: users(emitted),
  api_keys: apiKeys(emitted),
  audit_logs: auditLogs(emitted),
  encryption_key_rotations: rotations(emitted),
});

export const ORIGINAL_NAMES = ['api_keys', 'audit_logs', 'encryption_key_rotations'] as const;

/** The models of the Python original and the same first rows, for a Python with SQLAlchemy: standard input holds url, schema and token. */
export const MODELS = `
import json, sys
from datetime import datetime
from sqlalchemy import (Boolean, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Text, create_engine)
from sqlalchemy.orm import Session, declarative_base
url, schema, token = json.load(sys.stdin)
Base = declarative_base(metadata=MetaData(schema=schema))
of = (schema + '.' if schema else '') + 'users.id'
class User(Base):
    __tablename__ = 'users'
    id = Column(Integer, primary_key=True)
class APIKey(Base):
    __tablename__ = 'api_keys'
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey(of), nullable=False, index=True)
    name = Column(String(100), nullable=False)
    prefix = Column(String(20), nullable=False)
    encrypted_key = Column(Text, nullable=False)
    scopes = Column(String(500), default='')
    created_at = Column(DateTime, default=datetime.utcnow)
    expires_at = Column(DateTime)
    last_used_at = Column(DateTime)
    is_active = Column(Boolean, default=True)
    __table_args__ = (Index('idx_api_key_prefix', 'prefix'),)
class AuditLog(Base):
    __tablename__ = 'audit_logs'
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey(of))
    action = Column(String(100), nullable=False)
    resource_type = Column(String(50))
    resource_id = Column(Integer)
    ip_address = Column(String(45))
    status = Column(String(20), default='success')
    timestamp = Column(DateTime, default=datetime.utcnow, index=True)
    details = Column(Text)
class EncryptionKeyRotation(Base):
    __tablename__ = 'encryption_key_rotations'
    id = Column(Integer, primary_key=True)
    old_key_version = Column(String(50), nullable=False)
    new_key_version = Column(String(50), nullable=False)
    timestamp = Column(DateTime, default=datetime.utcnow)
    rotation_status = Column(String(20), default='pending')
    total_records = Column(Integer, default=0)
    rotated_records = Column(Integer, default=0)
    failed_records = Column(Integer, default=0)
    error_details = Column(Text)
engine = create_engine(url)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add(User(id=42))
    session.flush()
    session.add(APIKey(user_id=42, name='Production API Key', prefix='pk_abc123', encrypted_key=token,
        scopes='read:projects,write:sns', created_at=datetime(2026, 2, 26, 10), expires_at=datetime(2026, 3, 28, 10, 0, 0, 123456)))
    session.add(AuditLog(user_id=42, action='api_key_created', resource_type='api_key', resource_id=1,
        timestamp=datetime(2026, 2, 26, 10), details='User profile accessed'))
    session.add(EncryptionKeyRotation(old_key_version='v1', new_key_version='v2', timestamp=datetime(2026, 2, 26, 10)))
    session.commit()
print('null')
`;
