namespace Quire;

/// <summary>Which snapshot of a recording: the numbers are those in the file.</summary>
internal enum SnapshotKind
{
    Start = 1,
    End = 2,
}
