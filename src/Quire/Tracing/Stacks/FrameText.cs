using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;

namespace Quire;

/// <summary>A frame as people read it: the method that the user wrote, with file and line, without white space.</summary>
/// <remarks>
/// The compiler moves async methods, iterators, lambdas and local functions into types and methods of its own, and writes the user's name into theirs:
/// <c>&lt;Send&gt;d__4.MoveNext</c>, <c>&lt;Send&gt;b__4_0</c>, <c>&lt;Send&gt;g__Retry|4_1</c>. Here they become <c>Send</c>, <c>Send.lambda1</c> and <c>Send.Retry</c>.
/// </remarks>
internal static class FrameText
{
    private const int MaximumLength = 1000;

    /// <summary>The text of a frame: <c>Namespace.Type.Method(File.cs:12)</c>.</summary>
    internal static string Of(StackFrame frame, MethodBase? method)
    {
        StringBuilder text = new();
        if (method is null)
        {
            text.Append("(dynamic)");
        }
        else
        {
            AppendMethod(text, method);
        }

        text.Length = Math.Min(text.Length, MaximumLength);
        if (frame.GetFileLineNumber() is int line and > 0 && frame.GetFileName() is { Length: > 0 } file)
        {
            // Not Path.GetFileName: an assembly built on Windows is read here too.
            text.Append('(').Append(file.AsSpan(file.AsSpan().LastIndexOfAny('/', '\\') + 1)).Append(':').Append(line.ToString(CultureInfo.InvariantCulture)).Append(')');
        }

        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsWhiteSpace(text[i]) || char.IsControl(text[i]))
            {
                text[i] = '_';
            }
        }

        return text.ToString();
    }

    /// <summary>The user's name in one that the compiler made; other names as they are.</summary>
    internal static string Clean(string name)
    {
        int close = name.StartsWith('<') ? Closing(name) : -1;
        if (close < 0)
        {
            return name;
        }

        string inner = Clean(name[1..close]);
        string rest = name[(close + 1)..];
        if (inner.Length == 0)
        {
            return rest;
        }

        if (rest.StartsWith("b__", StringComparison.Ordinal))
        {
            int digits = rest.LastIndexOf('_') + 1;
            return int.TryParse(rest.AsSpan(digits), NumberStyles.None, null, out int number)
                ? string.Create(null, $"{inner}.lambda{number + 1}")
                : inner + ".lambda";
        }

        if (rest.StartsWith("g__", StringComparison.Ordinal))
        {
            int bar = rest.IndexOf('|');
            return $"{inner}.{rest[3..(bar < 0 ? rest.Length : bar)]}";
        }

        return inner;
    }

    private static void AppendMethod(StringBuilder text, MethodBase method)
    {
        Type? type = method.DeclaringType;
        if (type is null)
        {
            text.Append(Clean(method.Name));
            return;
        }

        // From the inside out: the compiler's own types give way to the user's type around them.
        string member = Clean(method.Name);
        bool direct = true;
        while (type.DeclaringType is { } outer && type.Name.StartsWith('<') && !IsFileLocal(type.Name, out _))
        {
            string owner = Clean(Plain(type.Name));
            if (IsStateMachine(type.Name))
            {
                member = owner;
                direct = false;
            }

            type = outer;
        }

        AppendType(text, type);
        text.Append('.').Append(member);
        if (direct && method.IsGenericMethod)
        {
            AppendArguments(text, method.GetGenericArguments(), 0);
        }
    }

    private static void AppendType(StringBuilder text, Type type)
    {
        if (type.Namespace is { Length: > 0 } space)
        {
            text.Append(space).Append('.');
        }

        Type[] arguments = type.GetGenericArguments();
        Stack<Type> nest = new();
        for (Type? level = type; level is not null; level = level.DeclaringType)
        {
            nest.Push(level);
        }

        // A nested type has its outer types' parameters before its own.
        int used = 0;
        while (nest.TryPop(out Type? level))
        {
            string name = Plain(level.Name);
            text.Append(IsFileLocal(name, out string local) ? local : name);
            int known = Math.Min(arguments.Length, level.GetGenericArguments().Length);
            AppendArguments(text, arguments.AsSpan(0, known), used);
            used = known;
            if (nest.Count > 0)
            {
                text.Append('.');
            }
        }
    }

    private static void AppendArguments(StringBuilder text, ReadOnlySpan<Type> arguments, int from)
    {
        for (int i = from; i < arguments.Length; i++)
        {
            text.Append(i == from ? '<' : ',').Append(Plain(arguments[i].Name));
        }

        text.Append(from < arguments.Length ? ">" : "");
    }

    private static string Plain(string name) => name.LastIndexOf('`') is int tick and > 0 ? name[..tick] : name;

    private static bool IsStateMachine(string name) => Closing(name) is int close and > 1 && name.AsSpan(close + 1).StartsWith("d");

    // <File>F0123AB__Name: a type that is local to its file.
    private static bool IsFileLocal(string name, out string local)
    {
        int close = name.StartsWith('<') ? Closing(name) : -1;
        int bars = close < 0 ? -1 : name.IndexOf("__", close, StringComparison.Ordinal);
        bool isLocal = bars > 0 && name[close + 1] == 'F' && bars + 2 < name.Length;
        local = isLocal ? name[(bars + 2)..] : name;
        return isLocal;
    }

    private static int Closing(string name)
    {
        int depth = 0;
        for (int i = 0; i < name.Length; i++)
        {
            depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        return -1;
    }
}
