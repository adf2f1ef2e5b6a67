using System.ComponentModel;
using System.Globalization;
using System.Runtime.Versioning;

namespace Quire;

/// <summary>Where recordings lie, and what is said when one can't.</summary>
internal static class TracePath
{
    private const int EPERM = 1;
    private const int EACCES = 13;
    private const int EFBIG = 27;
    internal const int ENOSPC = 28;
    private const int EDQUOT = 122;

    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>A name in the user's own folder for recordings, which is made where there is none: <c>name-pid-date.qring</c>.</summary>
    /// <exception cref="TraceFileException">The folder can't be made, or is not private.</exception>
    [UnsupportedOSPlatform("windows")]
    internal static string Default(string? root = null)
    {
        root ??= Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);

        // A user without a home: the folder's name is then known to everybody, which is why it must prove to be ours.
        string folder = root.Length != 0 ? Path.Combine(root, "quire", "recordings") : Path.Combine(Path.GetTempPath(), $"quire-{Environment.UserName}");
        string program = string.Concat((Path.GetFileNameWithoutExtension(Environment.ProcessPath) ?? "process").Where(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'));
        string path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{program}-{Environment.ProcessId}-{DateTime.UtcNow:yyyyMMdd-HHmmss-fff}.qring"));
        try
        {
            DirectoryInfo made = Directory.CreateDirectory(folder, Owner | UnixFileMode.UserExecute);
            if (made.LinkTarget is not null)
            {
                throw NotPrivate(path, folder);
            }

            if ((made.UnixFileMode & Others) != 0)
            {
                // Only its owner may do that.
                made.UnixFileMode = Owner | UnixFileMode.UserExecute;
            }
        }
        catch (UnauthorizedAccessException cause)
        {
            throw Directory.Exists(folder) ? NotPrivate(path, folder) : Explain(path, cause);
        }
        catch (IOException cause) when (cause is not TraceFileException)
        {
            throw Explain(path, cause);
        }

        return path;
    }

    /// <summary>Makes a file that did not exist, for its owner alone. A link of that name is not followed, wherever it leads.</summary>
    [UnsupportedOSPlatform("windows")]
    internal static FileStream Create(string path)
    {
        try
        {
            // Made by nobody else (O_CREAT and O_EXCL), and not locked: readers open it while it is written.
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.ReadWrite,
                Share = FileShare.ReadWrite | FileShare.Delete,
                UnixCreateMode = Owner,
                BufferSize = 0,
            });
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw Explain(path, cause);
        }
    }

    /// <summary>Removes what an earlier process of this number left half made.</summary>
    internal static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw Explain(path, cause);
        }
    }

    /// <summary>What an exception of the framework means for a recording.</summary>
    internal static TraceFileException Explain(string path, Exception cause) => cause switch
    {
        DirectoryNotFoundException => new TraceFileException(TraceFileFailure.NoFolder, path, "its folder does not exist.", cause),
        UnauthorizedAccessException => new TraceFileException(TraceFileFailure.NoPermission, path, "this process may not write there.", cause),
        IOException when File.Exists(path) || new FileInfo(path).LinkTarget is not null =>
            new TraceFileException(TraceFileFailure.AlreadyExists, path, "there is such a file. Choose another name, or ask for it to be replaced.", cause),
        _ => new TraceFileException(TraceFileFailure.Other, path, cause.Message, cause),
    };

    /// <summary>What an error number of the system means for a recording.</summary>
    internal static TraceFileException Refused(string path, int error) => error switch
    {
        ENOSPC or EDQUOT => new TraceFileException(TraceFileFailure.NoSpace, path, "there is no space left for it."),
        EFBIG => new TraceFileException(TraceFileFailure.NoSpace, path, "this process may not make a file so large (RLIMIT_FSIZE, or the file system's limit)."),
        EPERM or EACCES => new TraceFileException(TraceFileFailure.NoPermission, path, "this process may not write there."),
        _ => new TraceFileException(TraceFileFailure.Other, path, new Win32Exception(error).Message + "."),
    };

    private static TraceFileException NotPrivate(string path, string folder) =>
        new(TraceFileFailure.FolderNotPrivate, path, $"the folder '{folder}' is somebody else's. Name a file in a folder of your own.");
}
