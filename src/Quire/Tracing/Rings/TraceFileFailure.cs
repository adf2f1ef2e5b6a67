namespace Quire;

/// <summary>Why the file of a recording could not be made.</summary>
public enum TraceFileFailure
{
    /// <summary>Another reason; the message has the system's own words.</summary>
    Other,

    /// <summary>The file system, a quota, or the process's limit on the size of files has no room for it.</summary>
    NoSpace,

    /// <summary>The folder, or the file that was to be replaced, may not be written.</summary>
    NoPermission,

    /// <summary>There is a file of that name, and nobody asked for it to be replaced.</summary>
    AlreadyExists,

    /// <summary>The folder does not exist.</summary>
    NoFolder,

    /// <summary>The folder for recordings without a path of their own belongs to somebody else, or others may write there.</summary>
    FolderNotPrivate,
}
